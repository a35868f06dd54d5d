#include "libhsmops/manager/copies.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hsmops::manager {

using failover::ClusterState;
using failover::MemberView;

bool EqualToPrimary(const ClusterState& state, const MemberView& member) {
  const MemberView* primary = state.Holder();
  return primary != nullptr && primary->Healthy() && member.Healthy() &&
         primary->status->digest == member.status->digest;
}

int FullCopies(const ClusterState& state) {
  const MemberView* primary = state.Holder();
  const bool primary_known = primary != nullptr && primary->Healthy();
  int copies = primary_known ? 1 : 0;
  for (const MemberView& member : state.members) {
    if (member.holder || !member.Healthy()) continue;
    if (primary_known ? EqualToPrimary(state, member) : member.in_sync_set) ++copies;
  }
  return copies;
}

int EqualMirrors(const ClusterState& state) {
  const std::set<std::string> unreached = state.Unreached();
  return static_cast<int>(
      std::count_if(state.members.begin(), state.members.end(), [&](const MemberView& m) {
        return !m.holder && EqualToPrimary(state, m) && !unreached.contains(m.node);
      }));
}

std::string WhyStrictRefuses(const cluster::HSMDevice& device, std::size_t members, int equal) {
  const int k = device.MinSyncMirrors(members);
  if (device.durability() != cluster::Durability::kStrict || equal >= k) return {};
  return fmt::format("durability is Strict and {} of {} mirrors are in sync", equal, k);
}

}  // namespace hsmops::manager
