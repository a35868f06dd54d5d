#include "libhsmops/manager/conditions.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/copies.h"

namespace hsmops::manager {

using cluster::Condition;
using cluster::ConditionStatus;
using failover::ClusterState;
using failover::MemberView;
using token::PinState;

namespace {

ConditionStatus HoldsIf(bool holds) {
  return holds ? ConditionStatus::kTrue : ConditionStatus::kFalse;
}

Condition PrimaryAvailable(const ClusterState& state) {
  const MemberView* primary = state.Holder();
  const bool takes_writes = state.TakesWrites();
  const bool no_grant = primary != nullptr && primary->Healthy() && !takes_writes;
  return {"PrimaryAvailable", HoldsIf(takes_writes),
          takes_writes ? "Healthy"
          : no_grant   ? "NoGrant"
                       : "Unavailable",
          primary == nullptr ? "no Primary"
          : no_grant         ? "it has no grant"
                             : primary->WhyUnhealthy()};
}

Condition FailoverReady(const ClusterState& state) {
  const auto candidates = failover::Candidates(state, failover::Purpose::kFailover);
  const bool ready = std::ranges::any_of(candidates, [](const auto& c) { return c.eligible(); });
  return {"FailoverReady", HoldsIf(ready), ready ? "CandidateInSync" : "NoCandidate", ""};
}

Condition EpochRegressed(const ClusterState& state) {
  if (state.overtaken)
    return {"EpochRegressed", ConditionStatus::kUnknown, "RecordNotReadAgain",
            "members were told a later record of who may write than could be read"};
  const auto later = std::ranges::find_if(
      state.members, [&](const MemberView& member) { return state.ProvesOlderRecord(member); });
  const bool regressed = later != state.members.end();
  return {"EpochRegressed", HoldsIf(regressed), regressed ? "RecordIsOlder" : "RecordIsLatest",
          regressed ? later->node + " has seen a later record of who may write" : ""};
}

std::string Listed(const std::vector<std::string>& items) {
  return fmt::format("{}", fmt::join(items, ", "));
}

Condition PinAccepted(const ClusterState& state) {
  std::vector<std::string> refused;
  std::vector<std::string> unknown;
  for (const MemberView& member : state.members) {
    const PinState pin = member.reachable() ? member.status->pin : PinState::kUnknown;
    if (pin == PinState::kUnknown) {
      unknown.push_back(member.node);
    } else if (pin != PinState::kAccepted && pin != PinState::kCountLow) {
      refused.push_back(fmt::format("{}: {}", member.node, token::Name(pin)));
    }
  }
  if (!refused.empty())
    return {"PinAccepted", ConditionStatus::kFalse, "PinNotAccepted", Listed(refused)};
  if (!unknown.empty())
    return {"PinAccepted", ConditionStatus::kUnknown, "NotAllSeen",
            "not seen of " + Listed(unknown)};
  return {"PinAccepted", ConditionStatus::kTrue, "Accepted", ""};
}

Condition Diverged(const ClusterState& state) {
  std::vector<std::string> diverged;
  std::vector<std::string> unknown;
  for (const MemberView& member : state.members) {
    const bool seen = member.reachable() && member.status->digest;
    if (!seen) {
      unknown.push_back(member.node);
    } else if (member.status->quarantined > 0) {
      diverged.push_back(
          fmt::format("{} has {} in quarantine", member.node, member.status->quarantined));
    }
  }
  if (!diverged.empty())
    return {"Diverged", ConditionStatus::kTrue, "VersionsInQuarantine", Listed(diverged)};
  if (!unknown.empty())
    return {"Diverged", ConditionStatus::kUnknown, "NotAllSeen", "not seen of " + Listed(unknown)};
  return {"Diverged", ConditionStatus::kFalse, "NoneInQuarantine", ""};
}

}  // namespace

void SetConditions(const ClusterState& state, std::int64_t generation, base::WallTime now,
                   cluster::HSMDeviceStatus& status) {
  const bool writes = state.TakesWrites();
  const bool critical = std::ranges::any_of(status.findings, [](const cluster::Finding& finding) {
    return finding.severity == cluster::Severity::kCritical;
  });
  const bool paused = status.paused.has_value();
  for (Condition condition :
       {PrimaryAvailable(state),
        Condition{"Mirrored", HoldsIf(status.failure_tolerance.value_or(0) > 0), "FullCopies",
                  fmt::format("{} full copies", FullCopies(state))},
        Condition{"Ready", HoldsIf(writes && !critical), writes ? "Serving" : "NoWrites", ""},
        Condition{"Paused", HoldsIf(paused), paused ? "Paused" : "Running",
                  paused ? status.paused->reason : ""},
        EpochRegressed(state), FailoverReady(state), PinAccepted(state), Diverged(state)}) {
    condition.observed_generation = generation;
    cluster::SetCondition(status.conditions, std::move(condition), now);
  }
}

}  // namespace hsmops::manager
