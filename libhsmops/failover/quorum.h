// Quorum: whether those who answer hold everything that was acknowledged (protocol.md, 3, P5);
// pure.
#pragma once

#include <functional>
#include <string>

#include "libhsmops/failover/cluster_state.h"

namespace hsmops::failover {

// How many members of S must have answered with their inventory before a target may be chosen
// without the last Primary: |S| - min(k, |S|) + 1; 0 when that can never do (S empty or k = 0):
// only the last Primary will.
unsigned QuorumOfSyncSet(unsigned sync_set, unsigned k);

// Why what was acknowledged may be on `last_primary` alone, as a part of a sentence; empty: a
// quorum of S answers, and whatever was acknowledged is on one of them. `answers`: has this member
// told what it holds, or, before it is asked, can it be expected to.
std::string WhyNotCovered(const ClusterState& state, const std::string& last_primary,
                          const std::function<bool(const MemberView&)>& answers);

}  // namespace hsmops::failover
