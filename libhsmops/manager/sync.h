// Sync: makes the members of a pool equal to its Primary, and says how equal they are.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"
#include "libhsmops/mirror/apply.h"
#include "libhsmops/mirror/compare.h"
#include "libhsmops/mirror/plan.h"

namespace hsmops::manager {

// How many secrets a member found damaged when it read everything again, by node.
using Verified = std::map<std::string, base::Result<std::uint64_t>>;

struct SyncOptions {
  std::string secret;  // only this one; empty: all
  bool full = false;   // re-read and re-hash every value on every member first,
  Verified verified;   // which has been done, where this is not empty
  bool dry_run = false;
  std::vector<std::string> only;  // these mirrors; empty: all
  bool collect = true;            // deletions that everybody knows of
  base::Duration share{0};        // of who has other things to do: more is copied next time; 0: all
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
  std::uint64_t collected = 0;    // tombstones,
  std::uint64_t uncollected = 0;  // and those that another sync may collect at once
  bool begun = false;             // something was changed, or may have been
  bool AllEqual() const;
  // Every step was taken, everybody could be asked and is equal.
  bool Complete() const;
  // Something was done, or could not be.
  bool Notable() const;
};

// Digests first: members whose root equals the Primary's cost one exchange; of the others only the
// buckets that differ are listed. Copies, restores, quarantines by mirror::Plan, then compares
// again. Members that are equal join S by the joint step. kUnavailable: the Primary cannot be
// asked, and nothing was begun; afterwards that makes an error of every member.
base::Result<SyncReport> Sync(Pool& pool, const SyncOptions& options,
                              const mirror::Progress& progress);

// Some members against another; mirror::Compare by node.
using mirror::Comparison;
base::Result<Comparison> Compare(Pool& pool, const std::string& source,
                                 const std::vector<std::string>& mirrors);

// The same after members that lag a little were brought up to date; more is left to Sync.
base::Result<Comparison> CatchUp(Pool& pool, const std::string& source,
                                 const std::vector<std::string>& mirrors);

// These of the pool's members.
mirror::Members MembersOf(Pool& pool, const std::vector<std::string>& nodes);

// R's lsn cuts, as Plan takes them.
std::vector<mirror::EpochCut> CutsOf(const Pool& pool);

// Puts exactly these nodes into S, if that changes anything: R by compare-and-swap, generation + 1.
// When a member leaves, or k rises, every one of `nodes` must have just been compared equal to the
// Primary: P5 counts on what they confirmed. Joint (protocol.md, 3): the Primary is prepared first,
// so it has to be there; the next grant ends the rule before.
base::Result<void> ChangeSyncSet(Pool& pool, const std::vector<std::string>& nodes,
                                 std::optional<int> k = {});
// The same of one alone: whoever else is in S stays, also a node that this pool does not know yet.
base::Result<void> AddToSyncSet(Pool& pool, const std::string& node);
base::Result<void> TakeFromSyncSet(Pool& pool, const std::string& node);

}  // namespace hsmops::manager
