#include "libhsmops/failover/cluster_state.h"

#include <fmt/format.h>

namespace hsmops::failover {

std::string MemberView::WhyUnhealthy() const {
  if (!wiped_by.empty()) return wiped_by + " wipes it and fills it again";
  if (!status.ok()) return "unreachable: " + status.error().message();
  if (std::string why = status->WhyUnhealthy(); !why.empty()) return why;
  return why_closed;
}

std::string MemberView::WhyNotLeave() const {
  if (std::string why = WhyUnhealthy(); !why.empty()) return why;
  if (status->legacy == 0) return {};
  return fmt::format(
      "it holds {} secrets in the older operator's layout that no mirror has; run kubectl hsm "
      "adopt "
      "first",
      status->legacy);
}

const MemberView* ClusterState::Find(std::string_view node) const {
  for (const MemberView& member : members) {
    if (member.node == node) return &member;
  }
  return nullptr;
}

const MemberView* ClusterState::Holder() const { return holder ? Find(*holder) : nullptr; }

bool ClusterState::TakesWrites() const {
  const MemberView* primary = Holder();
  if (primary == nullptr || !primary->Healthy()) return false;
  return managers == Managers::kNone || primary->status->gate_open;
}

std::set<std::string> ClusterState::Unreached() const {
  std::set<std::string> nodes;
  const MemberView* primary = Holder();
  if (primary == nullptr || !primary->reachable()) return nodes;
  for (const MemberView& member : members) {
    if (primary->status->unreached.contains(member.uid)) nodes.insert(member.node);
  }
  return nodes;
}

}  // namespace hsmops::failover
