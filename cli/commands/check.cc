#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/live_device.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/failover/decide.h"
#include "libhsmops/failover/quorum.h"
#include "libhsmops/manager/announcement.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/findings.h"

namespace hsmops::cli {
namespace {

using failover::Candidate;

struct CheckOptions {
  std::string purpose = "failover";
};

// What is checked, and whether it could be done now.
struct Answer {
  bool possible = false;
  std::string sentence;
  std::vector<Candidate> candidates;
};

// A command gives the Primary a grant itself where no manager does and its certificate is a
// manager's. Why not, as a sentence; empty: it would.
base::Result<std::string> WhyNoGrant(Context& context, LocalCluster& cluster,
                                     failover::Managers managers) {
  const std::string& ns = cluster.pool().device().metadata.ns;
  if (managers == failover::Managers::kLead)
    return std::string(
        "it has no grant; managers renew it while they reach it and the record of who may write");
  HSM_TRY(const auto replicas, manager::FindReplicas(cluster.resources(), context.clock(), ns));
  HSM_TRY(const Wire* wire, context.OpenWire());
  if (replicas.empty() && wire->identity().role == net::Role::kManager) return std::string();
  return std::string("its grant has run out and no manager leads: start kubectl hsm manager");
}

// Where managers say where they listen a write goes through one of them, whatever grant there is.
// Whether this certificate may write is not asked: it is the cluster's state that is.
base::Result<std::string> WhyNoAnswer(Context& context) {
  HSM_TRY(const auto live, OpenLive(context));
  if (!live) return std::string();
  const auto answer = live->service().Probe();
  if (answer.ok() || answer.Is(base::ErrorCode::kAuthFailed)) return std::string();
  return answer.error().message();
}

base::Result<Answer> CheckWrite(Context& context, LocalCluster& cluster,
                                const failover::ClusterState& state) {
  const manager::Pool& pool = cluster.pool();
  Answer answer;
  const failover::MemberView* primary = state.Holder();
  if (primary == nullptr) {
    answer.sentence = "no: there is no Primary";
    return answer;
  }
  answer.candidates.push_back({primary->node, {}});
  if (std::string why = primary->WhyUnhealthy(); !why.empty())
    answer.candidates[0].reasons.push_back(why);
  if (primary->Healthy() && !state.TakesWrites()) {
    HSM_TRY(std::string why, WhyNoGrant(context, cluster, state.managers));
    if (!why.empty()) answer.candidates[0].reasons.push_back(std::move(why));
  }
  const int equal = manager::EqualMirrors(state);
  if (std::string why = manager::WhyStrictRefuses(pool.device(), state.members.size(), equal);
      !why.empty())
    answer.candidates[0].reasons.push_back(std::move(why));
  if (answer.candidates[0].eligible()) {
    HSM_TRY(std::string why, WhyNoAnswer(context));
    if (!why.empty()) answer.candidates[0].reasons.push_back(std::move(why));
  }
  answer.possible = answer.candidates[0].eligible();
  const bool own = answer.possible && !state.TakesWrites();
  answer.sentence =
      answer.possible
          ? fmt::format("yes: {} takes writes{} and {} mirrors would confirm them", primary->node,
                        own ? ", by a grant of the command's own as no manager gives one," : "",
                        equal)
          : fmt::format("no: {}", fmt::format("{}", fmt::join(answer.candidates[0].reasons, "; ")));
  return answer;
}

Answer CheckPromotion(const manager::Pool& pool, const failover::ClusterState& state, bool planned,
                      base::WallTime now) {
  Answer answer;
  answer.candidates = failover::Candidates(
      state, planned ? failover::Purpose::kPromote : failover::Purpose::kFailover);
  const bool candidate = !answer.candidates.empty() && answer.candidates.front().eligible();
  const failover::MemberView* primary = state.Holder();
  if (planned) {
    const std::string why_not = primary == nullptr ? "there is none" : primary->WhyNotLeave();
    answer.possible = candidate && why_not.empty();
    answer.sentence = answer.possible
                          ? fmt::format("yes: {} could be promoted", answer.candidates.front().node)
                      : !why_not.empty() ? "no: the Primary cannot step down: " + why_not
                                         : "no: no member can be promoted";
    return answer;
  }
  const std::string uncovered =
      failover::WhyNotCovered(state, state.holder.value_or(""), &failover::MemberView::Healthy);
  answer.possible = candidate && uncovered.empty();
  const std::string why_not = state.managers == failover::Managers::kNone
                                  ? std::string()
                                  : manager::WhyNotByItself(pool.device(), state, now);
  answer.sentence =
      answer.possible
          ? fmt::format("yes: {} could be promoted without losing an acknowledged write{}",
                        answer.candidates.front().node,
                        why_not.empty() ? "" : "; not by itself: " + why_not)
      : uncovered.empty() ? "no: no member can be promoted"
                          : "no: " + uncovered;
  return answer;
}

int Run(const CheckOptions& options, Context& context) {
  if (options.purpose != "promote" && options.purpose != "failover" && options.purpose != "write") {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--for \"{}\" is not one of promote, failover, write",
                                     base::Printable(options.purpose))});
  }
  auto cluster = context.OpenLook("check");
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  const auto state = pool.ObserveAmidWrites();
  if (const auto why = WhyNobodyWasAsked(state)) return context.Fail(*why);
  base::Result<Answer> asked =
      options.purpose == "write"
          ? CheckWrite(context, **cluster, state)
          : CheckPromotion(pool, state, options.purpose == "promote", context.clock().Wall());
  if (!asked.ok()) return context.Fail(asked.error());
  Answer& answer = *asked;
  if (auto obeyed = manager::CheckEpoch(pool, state); obeyed.Is(base::ErrorCode::kReadOnly)) {
    answer.possible = false;
    answer.sentence = "no: " + obeyed.error().message();
  }
  const cluster::HSMDevice device = LookAt(context, pool, state);
  nlohmann::json document = device.ToJson();
  document["status"]["check"] = {
      {"for", options.purpose}, {"possible", answer.possible}, {"message", answer.sentence}};
  for (const Candidate& candidate : answer.candidates) {
    document["status"]["check"]["candidates"].push_back({{"nodeName", candidate.node},
                                                         {"eligible", candidate.eligible()},
                                                         {"reasons", candidate.reasons}});
  }
  const int printed = Print(context, document, [&](bool) {
    context.out() << fmt::format("{}: {}\n", options.purpose,
                                 context.WithCluster(base::Printable(answer.sentence)));
    Table table({"NODE", "ELIGIBLE", "REASONS"});
    for (const Candidate& candidate : answer.candidates)
      table.Row({candidate.node, candidate.eligible() ? "yes" : "no",
                 fmt::format("{}", fmt::join(candidate.reasons, "; "))});
    table.Print(context.out(), false, !context.globals().no_headers);
  });
  return printed != kDone ? printed : answer.possible ? kDone : kConditionNotMet;
}

}  // namespace

Verb CheckVerb() {
  return {"check",
          "Could it be done right now? Every candidate with its reasons; exit 3 when not",
          {},
          {"kubectl hsm check --for failover", "kubectl hsm check --for write"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<CheckOptions>();
            words.Option("for", "WHAT", "promote, failover or write", options->purpose);
            words.Takes("for", {"promote", "failover", "write"});
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
