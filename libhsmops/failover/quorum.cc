#include "libhsmops/failover/quorum.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/mutant.h"

namespace hsmops::failover {

unsigned QuorumOfSyncSet(unsigned sync_set, unsigned k) {
  if (sync_set == 0 || k == 0) return 0;
  return sync_set - std::min(k, sync_set) + 1;
}

std::string WhyNotCovered(const ClusterState& state, const std::string& last_primary,
                          const std::function<bool(const MemberView&)>& answers) {
  if (base::On(base::Mutant::kNoQuorum)) return {};
  unsigned in_set = state.strangers_in_sync_set;
  unsigned answering = 0;
  for (const MemberView& member : state.members) {
    if (!member.in_sync_set || member.node == last_primary) continue;
    ++in_set;
    if (answers(member)) ++answering;
  }
  const unsigned quorum = QuorumOfSyncSet(in_set, state.needed);
  if (quorum == 0)
    return "the sync set is empty, so acknowledged writes may be on the last Primary alone";
  if (answering >= quorum) return {};
  return fmt::format("{} of {} members of the sync set answer with their content, {} must",
                     answering, in_set, quorum);
}

}  // namespace hsmops::failover
