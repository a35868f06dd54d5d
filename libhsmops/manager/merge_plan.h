// MergePlan: what the target of a promotion is to pull before it may be the Primary (protocol.md,
// 3, P6), and what of it nobody can give.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"
#include "libhsmops/mirror/plan.h"

namespace hsmops::manager {

struct MergePlan {
  mirror::SyncPlan pull;            // restores to the target, nothing else
  std::set<std::string> ambiguous;  // damaged where it is newest, or of two contents; as sentences
};

// What of a source may count.
enum class Trust : std::uint8_t {
  kAll,         // of the term that ended: h, a member of S, or anybody where those do not suffice
  kKnownNames,  // R was an older one: what the target has no trace of may have been deleted since
  kRepairs,     // not of the term's quorum, which suffices: only what is damaged on the target
};

// Everything that is ahead of the target, whatever epoch it is of, but for what lies beyond the cut
// of its epoch: that was never acknowledged. kUnavailable: a source cannot be read any more.
base::Result<MergePlan> PlanMerge(Pool& pool, const std::string& target,
                                  const std::map<std::string, Trust>& sources);

// What the target itself holds beyond the cut of an epoch that is over, and no source holds in that
// version: the newest of each name. As the target's own it would outdo what was acknowledged since.
// kUnavailable as above.
base::Result<std::vector<store::InventoryItem>> BeyondCuts(
    Pool& pool, const std::string& target, const std::map<std::string, Trust>& sources);

// How many secrets the target has damaged that this plan does not bring to it.
base::Result<std::uint64_t> DamageLeft(Pool& pool, const std::string& target,
                                       const mirror::SyncPlan& pull);

}  // namespace hsmops::manager
