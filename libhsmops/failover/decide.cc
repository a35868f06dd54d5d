#include "libhsmops/failover/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "libhsmops/base/mutant.h"
#include "libhsmops/failover/quorum.h"

namespace hsmops::failover {
namespace {

Candidate Judge(const ClusterState& state, const MemberView& member, Purpose purpose) {
  Candidate candidate{member.node, {}};
  const auto no = [&](std::string reason) { candidate.reasons.push_back(std::move(reason)); };
  if (member.holder && !state.promoting && purpose != Purpose::kForced) no("is the Primary");
  std::string why = member.WhyUnhealthy();
  // Under a new epoch its content is confirmed anew.
  if (purpose == Purpose::kForced && why == member.why_closed) why.clear();
  if (!why.empty()) {
    no(std::move(why));
    return candidate;
  }
  // A promotion goes above every epoch that anybody has seen, so who accepts a loss may do it.
  if (member.status->epoch.Contradicts(state.epoch) && purpose != Purpose::kForced) {
    no(fmt::format("has seen epoch {}, the record says {}", member.status->epoch.ToString(),
                   state.epoch.ToString()));
  }
  if (member.status->damaged > 0 && purpose != Purpose::kForced)
    no(fmt::format("{} damaged secrets; sync repairs them", member.status->damaged));
  if (member.status->legacy > 0 && purpose != Purpose::kForced) {
    no(fmt::format(
        "holds {} secrets in the older operator's layout, which are not mirrored; adopt or reinit",
        member.status->legacy));
  }
  const bool free_bytes_low = member.status->free_objects == 0;
  if (free_bytes_low) no("no room for more objects");
  if (purpose == Purpose::kFailover && !member.in_sync_set && !member.holder &&
      !base::On(base::Mutant::kPromoteAnyone))
    no("not in the sync set: may lack acknowledged writes");
  return candidate;
}

}  // namespace

std::vector<Candidate> Candidates(const ClusterState& state, Purpose purpose) {
  std::vector<Candidate> candidates;
  for (const MemberView& member : state.members)
    candidates.push_back(Judge(state, member, purpose));
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& a, const Candidate& b) {
                     const auto rank = [&](const Candidate& c) {
                       const MemberView& m = *state.Find(c.node);
                       const bool damaged = m.reachable() && m.status->damaged > 0;
                       return std::tuple(!c.eligible(), m.holder, damaged, !m.standby, -m.priority,
                                         !m.in_sync_set, m.node);
                     };
                     return rank(a) < rank(b);
                   });
  return candidates;
}

std::optional<base::WallTime> HeldUntil(const ClusterState& state, const Policy& policy,
                                        base::WallTime now) {
  if (!state.last_failover) return std::nullopt;
  const base::WallTime until =
      *state.last_failover +
      std::chrono::duration_cast<base::WallTime::duration>(policy.min_interval);
  return now < until ? std::optional(until) : std::nullopt;
}

Decision Decide(const ClusterState& state, const Policy& policy, bool primary_unhealthy,
                base::WallTime now) {
  Decision decision;
  const auto nothing = [&](std::string reason) {
    decision.reason = std::move(reason);
    return decision;
  };
  if (state.promoting) return nothing(fmt::format("a promotion to {} is under way", state.target));
  if (!state.holder) return nothing("there is no Primary on record; promote one");
  if (!primary_unhealthy) {
    const MemberView* primary = state.Holder();
    const std::string why = primary == nullptr ? "not seen" : primary->WhyUnhealthy();
    return nothing(why.empty() ? fmt::format("nothing is wrong with Primary {}", *state.holder)
                               : fmt::format("Primary {} is watched: {}", *state.holder, why));
  }
  if (policy.mode == Mode::kOff) return nothing("automatic failover is off");
  if (state.paused_until && now < *state.paused_until)
    return nothing("paused until " + base::FormatTime(*state.paused_until));
  if (HeldUntil(state, policy, now)) {
    return nothing(fmt::format(
        "the last failover was at {} and minInterval is {}; kubectl hsm ack allows another",
        base::FormatTime(*state.last_failover), base::FormatDuration(policy.min_interval)));
  }
  if (std::string why = WhyNotCovered(state, *state.holder, &MemberView::Healthy); !why.empty())
    return nothing(std::move(why));
  const std::vector<Candidate> candidates = Candidates(state, Purpose::kFailover);
  if (candidates.empty() || !candidates.front().eligible())
    return nothing("no member can be promoted");
  decision.action = policy.mode == Mode::kObserve ? Decision::Action::kWouldFailOver
                                                  : Decision::Action::kFailOver;
  decision.target = candidates.front().node;
  decision.reason = fmt::format("Primary {} is unhealthy and {} can have everything acknowledged",
                                *state.holder, decision.target);
  return decision;
}

}  // namespace hsmops::failover
