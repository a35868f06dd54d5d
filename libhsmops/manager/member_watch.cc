#include "libhsmops/manager/member_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace hsmops::manager {

using base::ErrorCode;
using failover::ClusterState;
using failover::MemberView;
using health::Tracker;
using health::Verdict;

namespace {

// A new view of a slow card takes minutes.
constexpr std::chrono::minutes kLongestBusy{5};

std::set<std::string> FailingBy(const std::optional<Tracker>& tracker, const Pool& pool) {
  std::set<std::string> nodes;
  for (const std::string& node : pool.nodes()) {
    if (tracker && tracker->Of(node) == Verdict::kUnhealthy) nodes.insert(node);
  }
  return nodes;
}

}  // namespace

void MemberWatch::Follow(const cluster::FailoverSpec& spec) {
  const int threshold = std::max(1, spec.unhealthy_threshold);
  const base::Duration interval = spec.health_check_interval;
  if (tracker_ && threshold == tracker_->threshold() && interval == tracker_->interval()) return;
  tracker_.emplace(threshold, interval);
  reach_.reset();
}

void MemberWatch::Forget() {
  tracker_.reset();
  reach_.reset();
}

void MemberWatch::Saw(Pool& pool, const ClusterState& state) {
  SawReach(state);
  for (const MemberView& member : state.members) {
    if (!member.wiped_by.empty()) continue;  // it says nothing of how it is
    if (!Busy(member)) tracker_->Saw(member.node, member.Healthy(), clock_.Now(), member.latency);
    TellOfDevice(pool, member);
    TellOfPin(pool, member);
  }
}

// A Primary that answers and does not reach a mirror that answers as well.
void MemberWatch::SawReach(const ClusterState& state) {
  const MemberView* primary = state.Holder();
  if (primary == nullptr || !primary->reachable()) return;
  if (!reach_ || reach_of_ != primary->node)
    reach_.emplace(tracker_->threshold(), tracker_->interval());
  reach_of_ = primary->node;
  const std::set<std::string> unreached = state.Unreached();
  for (const MemberView& member : state.members) {
    if (member.holder) continue;
    // One that nobody reaches says nothing of the way between the two: it is tried when it is back.
    const bool apart = member.Healthy() && unreached.contains(member.node);
    reach_->Saw(member.node, !apart, clock_.Now());
  }
}

// Its agent answers and its token is at something long, which a watchdog of its own ends where it
// hangs; but not for ever.
bool MemberWatch::Busy(const MemberView& member) {
  if (!member.told || !member.status.Is(ErrorCode::kUnavailable)) {
    busy_since_.erase(member.node);
    return false;
  }
  const base::TimePoint now = clock_.Now();
  return now - busy_since_.try_emplace(member.node, now).first->second < kLongestBusy;
}

void MemberWatch::TellOfDevice(Pool& pool, const MemberView& member) {
  if (Fails(member.node) && lost_.insert(member.node).second)
    pool.Tell(cluster::EventType::kWarning, "DeviceLost",
              fmt::format("the device of {} does not answer as it should", member.node));
  if (member.Healthy() && lost_.erase(member.node) > 0)
    pool.Tell(cluster::EventType::kNormal, "DeviceReturned",
              fmt::format("the device of {} is back", member.node));
}

void MemberWatch::TellOfPin(Pool& pool, const MemberView& member) {
  if (!member.reachable()) return;
  if (member.status->pin != token::PinState::kRejected) {
    pin_rejected_.erase(member.node);
  } else if (pin_rejected_.insert(member.node).second) {
    pool.Tell(cluster::EventType::kWarning, "PinRejected",
              fmt::format("the token of {} refused its PIN; it is not tried again before its "
                          "source changes",
                          member.node));
  }
}

SyncSetKeeper::Failing MemberWatch::FoundOf(const Pool& pool) const {
  return {FailingBy(tracker_, pool), FailingBy(reach_, pool), tracker_->threshold(), false};
}

bool MemberWatch::Fails(const std::string& node) const {
  return tracker_->Of(node) == Verdict::kUnhealthy;
}

std::optional<base::TimePoint> MemberWatch::FailingSince(const std::string& node) const {
  return tracker_->FailingSince(node);
}

}  // namespace hsmops::manager
