#include "libhsmops/failover/sync_set.h"

namespace hsmops::failover {

SyncSetChange DecideSyncSet(const ClusterState& state, const std::set<std::string>& failing,
                            bool strict) {
  SyncSetChange change;
  const MemberView* primary = state.Holder();
  if (state.promoting || primary == nullptr || !primary->Healthy()) return change;
  unsigned left = 0;
  for (const MemberView& member : state.members) {
    if (member.holder) continue;
    const bool failed = failing.contains(member.node);
    if (member.in_sync_set && !failed) ++left;
    if (member.in_sync_set && failed) change.drop.insert(member.node);
    if (!member.Healthy()) continue;
    if (!member.in_sync_set && !failed) change.add.insert(member.node);
    if (member.status->digest != primary->status->digest) change.lagging.push_back(member.node);
  }
  change.drop_strangers = state.strangers_in_sync_set > 0;
  if (strict && left < state.needed) {
    change.drop.clear();
    change.drop_strangers = false;
  }
  return change;
}

}  // namespace hsmops::failover
