#include "libhsmops/failover/cluster_state.h"

#include <fmt/format.h>

namespace hsmops::failover {

std::string MemberView::WhyUnhealthy() const {
  if (!status.ok()) return "unreachable: " + status.error().message();
  for (const mirror::ProbeStep& step : status->probe) {
    if (step.outcome == mirror::ProbeStep::Outcome::kFailed)
      return fmt::format("{}: {}", step.name, step.message);
  }
  if (status->standing == store::Standing::kUnknown) return "its store could not be opened";
  if (status->standing != store::Standing::kMember) {
    return status->standing_reason.empty() ? "it is no member of the pool"
                                           : status->standing_reason;
  }
  if (!status->digest) return "its content is unknown";
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
