#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/commands/writing.h"
#include "cli/exit_code.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/promotion.h"
#include "libhsmops/manager/report.h"

namespace hsmops::cli {
namespace {

struct PromoteWords {
  std::string device;
  std::string to;
  std::string winner;
  std::string expected_primary;
  std::string at;
  std::string reason;
  bool dry_run = false;
  bool accept_loss = false;
  bool yes = false;
};

// nullopt: at once.
base::Result<std::optional<base::WallTime>> TimeOf(Context& context, const std::string& at) {
  if (at.empty()) return std::optional<base::WallTime>();
  HSM_TRY(const base::WallTime when, base::ParseTime(at).Within("--at"));
  if (when <= context.clock().Wall())
    return base::Error(base::ErrorCode::kInvalid,
                       fmt::format("--at {} is in the past", base::Printable(at)));
  return std::optional(when);
}

// With nobody to hand it to.
void WaitUntil(Context& context, base::WallTime when) {
  const auto left = when - context.clock().Wall();
  context.err() << fmt::format("waiting {} until {}\n", base::FormatDuration(left),
                               base::FormatTime(when));
  context.clock().SleepFor(left);
}

int Foresee(Context& context, const manager::Pool& pool, cluster::HSMOperationSpec spec,
            const manager::PromotionReport& report) {
  std::vector<std::string> lines;
  for (const failover::Candidate& candidate : report.candidates) {
    std::string reasons;
    for (const std::string& reason : candidate.reasons)
      reasons += (reasons.empty() ? "" : "; ") + reason;
    lines.push_back(
        fmt::format("{}: {}", candidate.node, candidate.eligible() ? "eligible" : reasons));
  }
  if (!report.lost.empty() && report.lost != "none") lines.push_back("would lose " + report.lost);
  // Nobody was weighed against it.
  if (report.to == report.from && report.candidates.empty())
    return PrintDryRun(context, pool, std::move(spec), {},
                       fmt::format("no change: {} is the Primary already", report.to), kDone);
  return PrintDryRun(context, pool, std::move(spec), lines,
                     fmt::format("would promote {} in place of {}; nothing was changed", report.to,
                                 report.from.empty() ? "nobody" : report.from),
                     kDone);
}

int Run(const PromoteWords& words, failover::Purpose purpose, Context& context) {
  const bool planned = purpose == failover::Purpose::kPromote;
  if (!words.to.empty() && !words.winner.empty() && words.to != words.winner) {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--to {} and --winner {} name two nodes; give one",
                                     base::Printable(words.to), base::Printable(words.winner))});
  }
  const std::string target = words.to.empty() ? words.winner : words.to;
  if (planned && words.to.empty())
    return context.Fail(
        {base::ErrorCode::kInvalid,
         "name the node to promote with --to NODE; kubectl hsm check --for promote lists them"});
  // Before the wait: a command line that names no cluster is not told so at three in the morning.
  if (const auto resources = context.OpenResources(); !resources.ok())
    return context.Fail(resources.error());
  const auto when = TimeOf(context, words.at);
  if (!when.ok()) return context.Fail(when.error());
  cluster::HSMOperationSpec spec;
  spec.type = planned ? cluster::OperationType::kPromote : cluster::OperationType::kFailover;
  spec.target_node = target;
  spec.expected_primary = words.expected_primary;
  spec.accept_loss = words.accept_loss;
  spec.reason = words.reason;
  spec.dry_run = words.dry_run;
  if (words.accept_loss && !words.dry_run) {
    if (auto sure = context.Confirm(
            "Acknowledged writes that no reachable member holds will be given up.", words.yes);
        !sure.ok())
      return context.Fail(sure.error());
  }
  spec.not_before = *when;
  if (const auto code = HandOver(context, words.device, spec)) return *code;
  if (*when) {
    WaitUntil(context, **when);
    spec.not_before.reset();
    if (const auto code = HandOver(context, words.device, spec)) return *code;  // one leads by now
  }
  auto cluster = context.OpenCluster(planned ? "promote" : "failover", words.device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  manager::PromotionOptions options;
  options.purpose = purpose;
  options.target = target;
  options.expected_primary = words.expected_primary;
  options.accept_loss = words.accept_loss;
  options.dry_run = words.dry_run;
  options.reason = words.reason;
  if (words.dry_run) {
    const auto report =
        manager::Promote(pool, options, [](const std::string&, const std::string&) {});
    if (!report.ok()) return context.Fail(report.error());
    return Foresee(context, pool, std::move(spec), *report);
  }
  auto log = manager::OperationLog::Begin(pool, spec);
  if (!log.ok()) return context.Fail(log.error());
  options.operation = log->name();
  const auto report =
      manager::Promote(pool, options, [&](const std::string& name, const std::string& message) {
        context.err() << fmt::format("{}: {}\n", name, base::Printable(message));
        log->Step(name, message);
      });
  if (!report.ok()) return FailOperation(context, *log, report.error());
  const auto state = pool.Observe(false);
  (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) {  // for those who read the folder
    cluster::HSMDevice device = pool.device();
    device.status = status;
    status = manager::StatusOf(device, state, context.clock().Wall());
  });
  if (!report->changed) {
    return FinishOperation(context, *log, cluster::OperationPhase::kSucceeded,
                           fmt::format("no change: {} is the Primary already", report->to), kDone);
  }
  const std::string proof = planned ? fmt::format("{} secrets proved equal, ", report->secrets)
                                    : fmt::format("{} secrets, ", report->secrets);
  const int code =
      FinishOperation(context, *log, cluster::OperationPhase::kSucceeded,
                      fmt::format("{} is the Primary of epoch {}: {}lost {}, writes stopped for {}",
                                  report->to, report->epoch.counter, proof, report->lost,
                                  base::FormatDuration(report->writes_stopped)),
                      kDone);
  CollectGarbage(pool);  // the EPOCH objects of the terms before
  return code;
}

Runner Declare(Words& words, failover::Purpose purpose) {
  auto options = std::make_shared<PromoteWords>();
  const bool planned = purpose == failover::Purpose::kPromote;
  words.Argument("DEVICE", "the device; by default the only one", options->device, false);
  words.Option(
      "to", "NODE",
      planned ? "the member to promote" : "the member to promote; by default the best candidate",
      options->to);
  words.Option("expected-primary", "NODE", "refuse unless this is the Primary now",
               options->expected_primary);
  words.Option("reason", "TEXT", "for the history", options->reason);
  words.Flag("dry-run", "say what would be done", options->dry_run);
  words.Flag("yes", "do not ask", options->yes);
  if (planned) {
    words.Option("at", "RFC3339",
                 "not before then: handed to the manager that leads, or waited for without one",
                 options->at);
  } else {
    words.Flag(
        "accept-loss",
        "give up acknowledged writes that cannot be shown to be on another member; goes ahead "
        "with a healthy Primary, too",
        options->accept_loss);
    words.Option("winner", "NODE", "the same as --to", options->winner);
  }
  return [options, purpose](Context& context) { return Run(*options, purpose, context); };
}

}  // namespace

Verb PromoteVerb() {
  return {"promote",
          "Planned switchover, without loss: quiesce, prove equal, raise the epoch, open",
          {"switchover"},
          {"kubectl hsm promote --to worker-2",
           "kubectl hsm promote --to worker-2 --expected-primary worker-1 --reason maintenance"},
          true,
          [](Words& words) { return Declare(words, failover::Purpose::kPromote); }};
}

Verb FailoverVerb() {
  return {"failover", "Unplanned: promote a mirror although the Primary is gone",
          {},         {"kubectl hsm failover", "kubectl hsm failover --to worker-3 --accept-loss"},
          true,       [](Words& words) { return Declare(words, failover::Purpose::kFailover); }};
}

}  // namespace hsmops::cli
