#include "libhsmops/manager/look.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bitset>
#include <nlohmann/json.hpp>

#include "libhsmops/failover/quorum.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/report.h"

namespace hsmops::manager {

using failover::ClusterState;
using failover::MemberView;

namespace {

void CheckPlanned(const ClusterState& state, Check& check) {
  const MemberView* primary = state.Holder();
  const bool candidate = !check.candidates.empty() && check.candidates.front().eligible();
  const std::string why_not = primary == nullptr ? "there is none" : primary->WhyNotLeave();
  check.possible = candidate && why_not.empty();
  check.sentence = check.possible
                       ? fmt::format("yes: {} could be promoted", check.candidates.front().node)
                   : !why_not.empty() ? "no: the Primary cannot step down: " + why_not
                                      : "no: no member can be promoted";
}

void CheckFailover(const Pool& pool, const ClusterState& state, base::WallTime now, Check& check) {
  const bool candidate = !check.candidates.empty() && check.candidates.front().eligible();
  const std::string uncovered =
      failover::WhyNotCovered(state, state.holder.value_or(""), &MemberView::Healthy);
  check.possible = candidate && uncovered.empty();
  const std::string why_not = state.managers == failover::Managers::kNone
                                  ? std::string()
                                  : WhyNotByItself(pool.device(), state, now);
  check.sentence =
      check.possible
          ? fmt::format("yes: {} could be promoted without losing an acknowledged write{}",
                        check.candidates.front().node,
                        why_not.empty() ? "" : "; not by itself: " + why_not)
      : uncovered.empty() ? "no: no member can be promoted"
                          : "no: " + uncovered;
}

}  // namespace

cluster::HSMDevice Look(Pool& pool, const ClusterState& state, base::WallTime now) {
  cluster::HSMDevice device = pool.device();
  device.status = StatusOf(device, state, now);
  device.status.secrets.reset();
  const MemberView* primary = state.Holder();
  if (primary == nullptr || !primary->Healthy()) return device;
  const auto inventory = pool.At(primary->node).ReadInventory(std::bitset<store::kBuckets>());
  if (inventory.ok()) AddNotAdoptable(primary->node, inventory->legacy, device.status);
  return device;
}

Check CheckPromotion(const Pool& pool, const ClusterState& state, bool planned,
                     base::WallTime now) {
  const auto purpose = planned ? failover::Purpose::kPromote : failover::Purpose::kFailover;
  Check check{planned ? "promote" : "failover", false, "", failover::Candidates(state, purpose)};
  planned ? CheckPlanned(state, check) : CheckFailover(pool, state, now, check);
  return check;
}

Check CheckWrite(const Pool& pool, const ClusterState& state, const std::string& no_grant) {
  Check check{"write", false, "no: there is no Primary", {}};
  const MemberView* primary = state.Holder();
  if (primary == nullptr) return check;
  check.candidates.push_back({primary->node, {}});
  auto& reasons = check.candidates[0].reasons;
  if (std::string why = primary->WhyUnhealthy(); !why.empty()) reasons.push_back(why);
  if (primary->Healthy() && !state.TakesWrites() && !no_grant.empty()) reasons.push_back(no_grant);
  const int equal = EqualMirrors(state);
  if (std::string why = WhyStrictRefuses(pool.device(), state.members.size(), equal); !why.empty())
    reasons.push_back(std::move(why));
  check.possible = reasons.empty();
  const bool own = check.possible && !state.TakesWrites();
  check.sentence =
      check.possible
          ? fmt::format("yes: {} takes writes{} and {} mirrors would confirm them", primary->node,
                        own ? ", by a grant of the command's own as no manager gives one," : "",
                        equal)
          : fmt::format("no: {}", fmt::join(reasons, "; "));
  return check;
}

void ObeyEpoch(const Pool& pool, const ClusterState& state, Check& check) {
  const auto obeyed = CheckEpoch(pool, state);
  if (!obeyed.Is(base::ErrorCode::kReadOnly) && !obeyed.Is(base::ErrorCode::kConflict)) return;
  check.possible = false;
  check.sentence = "no: " + obeyed.error().message();
}

nlohmann::json JsonOf(const Check& check) {
  nlohmann::json document{{"for", check.purpose},
                          {"possible", check.possible},
                          {"message", check.sentence},
                          {"candidates", nlohmann::json::array()}};
  for (const failover::Candidate& candidate : check.candidates) {
    document["candidates"].push_back({{"nodeName", candidate.node},
                                      {"eligible", candidate.eligible()},
                                      {"reasons", candidate.reasons}});
  }
  return document;
}

}  // namespace hsmops::manager
