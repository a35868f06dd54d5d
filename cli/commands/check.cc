#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/failover/decide.h"
#include "libhsmops/failover/quorum.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/report.h"

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

Answer CheckWrite(const manager::Pool& pool, const failover::ClusterState& state) {
  Answer answer;
  const failover::MemberView* primary = state.Holder();
  if (primary == nullptr) {
    answer.sentence = "no: there is no Primary";
    return answer;
  }
  answer.candidates.push_back({primary->node, {}});
  if (std::string why = primary->WhyUnhealthy(); !why.empty())
    answer.candidates[0].reasons.push_back(why);
  const int equal = manager::EqualMirrors(state);
  if (std::string why = manager::WhyStrictRefuses(pool.device(), state.members.size(), equal);
      !why.empty())
    answer.candidates[0].reasons.push_back(std::move(why));
  answer.possible = answer.candidates[0].eligible();
  answer.sentence =
      answer.possible
          ? fmt::format("yes: {} takes writes and {} mirrors would confirm them", primary->node,
                        equal)
          : fmt::format("no: {}", fmt::format("{}", fmt::join(answer.candidates[0].reasons, "; ")));
  return answer;
}

Answer CheckPromotion(const failover::ClusterState& state, bool planned) {
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
  answer.sentence =
      answer.possible
          ? fmt::format("yes: {} could be promoted without losing an acknowledged write",
                        answer.candidates.front().node)
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
  auto cluster = context.OpenCluster("check");
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  const auto state = pool.Observe(true);
  Answer answer = options.purpose == "write" ? CheckWrite(pool, state)
                                             : CheckPromotion(state, options.purpose == "promote");
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
