// Coverage: each secret of a pool and how many members hold it, from their inventories.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

enum class Holding : std::uint8_t {
  kEqual,  // the reference version, with its digest
  kOlder,
  kNewer,    // beyond the Primary: to be set aside or restored by sync
  kDiffers,  // the same version with another content
  kMissing,
  kDamaged,
  kUnknown,  // the member could not be asked
};
std::string_view Name(Holding holding);

struct HeldBy {
  std::string node;
  Holding holding = Holding::kUnknown;
  store::Version version;
};

struct SecretCoverage {
  store::Id id{};
  std::string name;  // "" when no member can read its head
  std::vector<std::string> keys;
  store::Version version;
  std::optional<base::WallTime> written_at;
  std::uint64_t bytes = 0;
  bool legacy = false;  // in the older operator's layout, on the Primary alone
  std::string reason;   // legacy: why adopt cannot take it
  std::vector<HeldBy> devices;

  // "full", "2/3", "inconsistent" (two contents or damage), "unknown" (somebody could not be asked
  // and the rest is full), "legacy".
  std::string Summary() const;
};

struct CoverageReport {
  std::string primary;
  bool primary_known = false;  // else the reference is the greatest version that anybody has
  std::vector<SecretCoverage> secrets;         // by name
  std::map<std::string, base::Error> unknown;  // members that could not be asked
  std::map<std::string, std::vector<store::QuarantineItem>> quarantine;  // by node
};

// Asks every member, in parallel, what it holds: those that differ from the Primary for their
// inventory.
CoverageReport Cover(Pool& pool);

// For HSMDevice.status.secrets. Those whose coverage is unknown are in `total` alone; nullopt when
// nobody could be asked.
std::optional<cluster::SecretCounts> CountSecrets(const CoverageReport& report);

// Two inventories against each other, ids that differ only, deletions too: for diff.
struct Difference {
  std::string name;
  std::optional<store::Version> left;
  std::optional<store::Version> right;
  std::string what;  // "only on worker-1", "older on worker-2", "deleted on …", "damaged on …"
};
std::vector<Difference> Differences(const std::string& left_node, const store::Inventory& left,
                                    const std::string& right_node, const store::Inventory& right);

}  // namespace hsmops::manager
