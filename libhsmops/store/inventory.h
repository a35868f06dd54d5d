// Inventory: what a member holds, by id, version and digest; never a value.
//
// Ids fall into 256 buckets by their first byte. A bucket's digest is over its entries in order,
// tombstones too, the root over the buckets. Equal roots prove equal content, and that every
// deletion that is still remembered is remembered by both.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/store/secret.h"

namespace hsmops::store {

inline constexpr std::size_t kBuckets = 256;

struct InventoryDigest {
  base::Digest root{};
  std::array<base::Digest, kBuckets> buckets{};
};

struct InventoryItem {
  enum class State : std::uint8_t { kPresent, kTombstone, kDamaged };
  Id id{};
  State state = State::kPresent;
  Version version;        // kDamaged: the highest version known of, from a label or the ledger
  base::Digest digest{};  // zeros when damaged
  std::string name;       // empty: not known, every head is unreadable
  std::vector<std::string> keys;
  base::WallTime written_at;
  std::uint64_t bytes = 0;  // of the payload
};

// A secret in the layout of the older operator, not yet taken over.
struct LegacyItem {
  std::string name;
  std::vector<std::string> keys;
  std::string reason;  // why adopt cannot take it; empty: it can
};

struct QuarantineItem {
  Id id{};
  std::string name;
  Version version;
  bool tombstone = false;
  std::vector<std::string> keys;
  base::WallTime written_at;
};

struct Inventory {
  InventoryDigest digest;
  std::vector<InventoryItem> items;  // sorted by id
  std::vector<QuarantineItem> quarantine;
  std::vector<LegacyItem> legacy;
  std::uint64_t foreign_objects = 0;  // with our application, but not ours
  std::uint64_t era = 0;              // of deletions, when it was read: Member::Apply
};

struct Counts {
  base::Digest digest{};  // the root
  std::uint64_t secrets = 0;
  std::uint64_t damaged = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t legacy = 0;  // that adopt can take
};

}  // namespace hsmops::store
