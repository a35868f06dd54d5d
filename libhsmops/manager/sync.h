// Sync: makes the members of a pool equal to its Primary, and says how equal they are.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"
#include "libhsmops/mirror/apply.h"
#include "libhsmops/mirror/plan.h"

namespace hsmops::manager {

struct SyncOptions {
  std::string secret;  // only this one; empty: all
  bool full = false;   // re-read and re-hash every value on every member first
  bool dry_run = false;
  std::vector<std::string> only;  // these mirrors; empty: all
  bool collect = true;            // deletions that everybody knows of
};

struct MemberSync {
  std::string node;
  std::optional<base::Error> error;  // it could not be asked or brought up to date
  bool equal = false;                // its digest is the Primary's now
  bool joined = false;               // came into the sync set
  std::uint64_t damaged = 0;         // found by `full`
};

struct SyncReport {
  std::string primary;
  std::uint64_t secrets = 0;  // live ones on the Primary
  mirror::SyncPlan plan;
  mirror::ApplyReport applied;
  std::vector<MemberSync> members;
  std::uint64_t collected = 0;  // tombstones
  bool AllEqual() const;
};

// Digests first: members whose root equals the Primary's cost one exchange; of the others only the
// buckets that differ are listed. Copies, restores, quarantines by mirror::Plan, then compares
// again. Members that are equal join S by the joint step. kUnavailable: the Primary cannot be
// asked.
base::Result<SyncReport> Sync(Pool& pool, const SyncOptions& options,
                              const mirror::Progress& progress);

// The inventories of some members against the source's, of differing buckets only.
struct Comparison {
  store::Inventory source;
  std::vector<mirror::MemberInventory>
      mirrors;  // those that differ, and those that could not be asked
  std::vector<std::string> equal;
};
base::Result<Comparison> Compare(Pool& pool, const std::string& source,
                                 const std::vector<std::string>& mirrors);

// The same after members that lag a little were brought up to date; more is left to Sync.
base::Result<Comparison> CatchUp(Pool& pool, const std::string& source,
                                 const std::vector<std::string>& mirrors);

// R's lsn cuts, as Plan takes them.
std::vector<mirror::EpochCut> CutsOf(const Pool& pool);

// Puts exactly these nodes into S, if that changes anything: R by compare-and-swap, generation + 1.
// When a member leaves, or k rises, every one of `nodes` must have just been compared equal to the
// Primary: P5 counts on what they confirmed. No write of this process may be in flight; a grant
// must be renewed after it.
base::Result<void> ChangeSyncSet(Pool& pool, const std::vector<std::string>& nodes,
                                 std::optional<int> k = {});

}  // namespace hsmops::manager
