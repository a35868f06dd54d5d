// Record: the bytes of one version of a secret on a token. docs/record-format.md gives them for a
// second implementation; this header gives them for this one.
//
// Every member of a pool holds the same bytes for one version, so one digest proves equality.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "libhsmops/store/secret.h"

namespace hsmops::store {

inline constexpr std::uint8_t kFormat = 1;
inline constexpr std::size_t kKeptOpIds = 4;

struct PartInfo {
  std::uint32_t length = 0;
  base::Digest sha256{};
};

struct Head {
  bool tombstone = false;
  Uid pool{};
  std::string name;
  Version version;
  base::WallTime written_at;
  std::vector<OpId> op_ids;  // the newest first, at most kKeptOpIds
  std::array<std::uint8_t, 16> salt{};
  std::vector<std::string> keys;   // sorted
  std::uint64_t total_length = 0;  // of the payload
  std::vector<PartInfo> parts;     // empty: the payload is inline
  base::SecretBytes payload;       // only if inline
  base::Digest digest{};           // SHA-256 of all before it

  bool HasOpId(const OpId& id) const;
};

// What goes to the token, and to every mirror.
struct Record {
  base::SecretBytes head;
  std::vector<base::SecretBytes> parts;
  Record Clone() const;
  std::size_t bytes() const;
};

// kLimit: more keys or bytes than a secret may have, whatever the token.
base::Result<void> CheckKeys(const Keys& keys);

// Head.keys, total_length, parts, payload and digest are set from `keys`. kLimit: the secret does
// not fit in objects of `max_object_bytes`; nothing was written.
base::Result<Record> Encode(Head& head, const Keys& keys, std::size_t max_object_bytes);

// kCorrupt: not a head, or not a whole one. Checks everything that the head alone can show.
base::Result<Head> DecodeHead(base::ByteView bytes);

// The keys and values; `parts` in order. kCorrupt when a length or a hash differs.
base::Result<Keys> DecodeKeys(const Head& head, const std::vector<base::SecretBytes>& parts);

// Head and parts together: kCorrupt unless they are one whole version.
base::Result<Head> CheckRecord(const Record& record);

// EPOCH: what a member knows of its pool, on the token itself.
struct EpochRecord {
  Uid pool{};
  Uid member{};
  std::string serial;     // of the token it was written to
  Epoch epoch;            // the highest seen
  std::uint64_t lsn = 0;  // the highest known used
  std::uint64_t sequence =
      0;                 // counts the EPOCH objects of this token: of one epoch the greatest counts
  bool primary = false;  // role in that epoch
  base::SecretBytes Encode() const;
  static base::Result<EpochRecord> Decode(base::ByteView bytes);
};

}  // namespace hsmops::store
