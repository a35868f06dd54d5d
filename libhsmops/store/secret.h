// What a secret is: a name, a version, and keys with values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/digest.h"
#include "libhsmops/base/result.h"
#include "libhsmops/base/rng.h"

namespace hsmops::store {

// Named limits of one secret; a driver's profile may set lower ones.
inline constexpr std::size_t kMaxNameBytes = 253;
inline constexpr std::size_t kMaxKeyNameBytes = 253;
inline constexpr std::size_t kMaxKeys = 1024;
inline constexpr std::size_t kMaxSecretBytes =
    (std::size_t{1} << 20) + (64 << 10);  // a Kubernetes Secret and its keys
inline constexpr std::size_t kMaxParts = 1200;
inline constexpr std::size_t kMaxBatch = 4096;  // writes in one batch

// A secret's name: segments [a-z0-9]([-a-z0-9._]*[a-z0-9])? joined by "/", at most 253 bytes.
// Rejected, never cleaned; compared byte for byte.
class SecretName {
 public:
  // kInvalid says what is wrong and where.
  static base::Result<SecretName> Parse(std::string_view text);
  const std::string& text() const { return text_; }
  auto operator<=>(const SecretName&) const = default;

 private:
  explicit SecretName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A key of a secret, as Kubernetes has it: [-._a-zA-Z0-9]+, at most 253 bytes, not "." or "..".
base::Result<void> CheckKeyName(std::string_view key);

// Which reign of a Primary: the counter orders, the nonce tells two of one counter apart.
struct Epoch {
  std::uint64_t counter = 0;
  std::uint64_t nonce = 0;
  auto operator<=>(const Epoch&) const = default;
  // Whether who has seen this knows that `recorded` does not follow it: of a later epoch, or of
  // another one with the same counter, as a record that was put back to an older one makes.
  bool Contradicts(const Epoch& recorded) const {
    return counter > recorded.counter || (counter == recorded.counter && nonce != recorded.nonce);
  }
  std::string ToString() const;  // "7.00c0ffee00c0ffee"
};

// What a sender knows of who may write: R's epoch, and R's generation in it. A member keeps the
// highest that it was told, so that it can tell an R that is older (protocol.md, 3 and 4).
struct Term {
  Epoch epoch;
  std::uint64_t generation = 0;
  auto operator<=>(const Term&) const = default;
  // The same of a record's term: also of a later generation of its epoch.
  bool Contradicts(const Term& recorded) const {
    return epoch.Contradicts(recorded.epoch) ||
           (epoch == recorded.epoch && generation > recorded.generation);
  }
};

// The lsn is the pool's: never used twice, going on across epochs. Compared epoch first.
struct Version {
  Epoch epoch;
  std::uint64_t lsn = 0;
  auto operator<=>(const Version&) const = default;
  std::string ToString() const;  // "7.142", as people see it
  std::string Full() const;      // "7.142.00c0ffee00c0ffee"
};

// A precondition of a write: the version that must be there now.
struct Expectation {
  bool absent = false;  // there must be none
  std::uint64_t counter = 0;
  std::uint64_t lsn = 0;
  std::optional<std::uint64_t> nonce;
  // "7.142", "7.142.<nonce>", or "absent". kInvalid otherwise.
  static base::Result<Expectation> Parse(std::string_view text);
  bool Met(const std::optional<Version>& current) const;
  std::string ToString() const;
};

// Names one request of a client, so that the same request sent again is not done twice.
using OpId = std::array<std::uint8_t, 16>;
std::string OpIdText(const OpId& id);                 // UUID form
base::Result<OpId> ParseOpId(std::string_view text);  // UUID form; kInvalid otherwise

using Uid = std::array<std::uint8_t, 16>;  // of a pool or a member
std::string UidText(const Uid& uid);       // UUID form
base::Result<Uid> ParseUid(std::string_view text);

// A member's uid follows from the pool and its node: nothing to remember, nothing to mix up.
Uid MemberUid(const Uid& pool, std::string_view node);

using Keys = std::map<std::string, base::SecretBytes>;
Keys Clone(const Keys& keys);

struct Secret {
  SecretName name;
  Version version{};
  base::WallTime written_at{};
  base::Digest digest{};  // of the record, with its salt; not of the values alone
  Keys keys{};
};

// SHA-256(pool uid, name), the first 160 bits: what labels and inventories carry for a name.
using Id = std::array<std::uint8_t, 20>;
Id IdOf(const Uid& pool, const SecretName& name);

struct IdVersion {
  Id id{};
  Version version;
  auto operator<=>(const IdVersion&) const = default;
};

}  // namespace hsmops::store
