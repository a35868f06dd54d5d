#include "libhsmops/manager/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/progress.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/coverage.h"
#include "libhsmops/manager/sync_record.h"

namespace hsmops::cli {
namespace {

struct SyncWords {
  std::string device;
  std::string secret;
  bool full = false;
  bool dry_run = false;
};

std::string_view StepText(mirror::Step::Kind kind) {
  switch (kind) {
    case mirror::Step::Kind::kCopy:
      return "copy to";
    case mirror::Step::Kind::kRestore:
      return "restore from";
    case mirror::Step::Kind::kQuarantine:
      return "quarantine on";
    case mirror::Step::Kind::kAlarm:
      return "ALARM on";
  }
  return "";
}

std::vector<std::string> LinesOf(const mirror::SyncPlan& plan) {
  std::vector<std::string> lines;
  for (const mirror::Step& step : plan.steps) {
    lines.push_back(fmt::format(
        "{} {}: {} {} ({})", StepText(step.kind), step.node.empty() ? "-" : step.node,
        step.name.empty() ? "(unreadable)" : step.name, step.version.ToString(), step.reason));
  }
  for (const std::string& node : plan.unknown)
    lines.push_back(fmt::format("unknown {}: it cannot be asked", node));
  return lines;
}

std::string Sentence(const manager::SyncReport& report) {
  std::string text = fmt::format("copied {}, restored {}, quarantined {}", report.applied.copied,
                                 report.applied.restored, report.applied.quarantined);
  if (report.collected > 0) text += fmt::format(", {} deleted secrets collected", report.collected);
  for (const manager::MemberSync& member : report.members) {
    if (member.node == report.primary) continue;
    text += fmt::format("; {} {}", member.node,
                        member.error   ? "unknown"
                        : member.equal ? fmt::format("equal to {}", report.primary)
                                       : std::string("NOT equal"));
  }
  return text;
}

int Run(const SyncWords& words, Context& context) {
  if (!words.secret.empty()) {
    if (auto name = store::SecretName::Parse(words.secret); !name.ok())
      return context.Fail(name.error());
  }
  cluster::HSMOperationSpec spec;
  spec.type = words.full ? cluster::OperationType::kVerify : cluster::OperationType::kSync;
  spec.secret = words.secret;
  spec.full = words.full;
  spec.dry_run = words.dry_run;
  if (const auto code = HandOver(context, words.device, spec)) return *code;
  auto cluster = context.OpenCluster("sync", words.device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  if (!words.secret.empty()) {
    const manager::CoverageReport all = manager::Cover(pool);
    const bool there = std::any_of(all.secrets.begin(), all.secrets.end(),
                                   [&](const auto& one) { return one.name == words.secret; });
    if (!there && all.unknown.empty()) {
      return context.Fail(
          {base::ErrorCode::kNotFound, fmt::format("no member has a secret {}", words.secret)});
    }
  }
  manager::SyncOptions options{words.secret, words.full, words.dry_run, {}};
  if (words.dry_run) {
    auto report = manager::Sync(pool, options, nullptr);
    if (!report.ok()) return context.Fail(report.error());
    return PrintDryRun(
        context, pool, std::move(spec), LinesOf(report->plan),
        fmt::format("would do {} steps; nothing was changed", report->plan.steps.size()), kDone);
  }
  auto log = manager::OperationLog::Begin(pool, spec);
  if (!log.ok()) return context.Fail(log.error());
  base::Result<manager::SyncReport> report = base::Error(base::ErrorCode::kInternal, "not run");
  {
    ProgressBar bar(context, words.full ? "verifying" : "syncing");
    const mirror::Progress draw = bar.Callback();
    report = manager::Sync(pool, options, [&](std::uint64_t done, std::uint64_t total) {
      log->Progress(done, total);
      draw(done, total);
    });
  }
  if (!report.ok()) return FailOperation(context, *log, report.error());
  const bool whole = manager::RecordSync(pool, *report);
  const bool complete = whole && report->Complete();
  for (const manager::MemberSync& member : report->members) {
    if (member.error)
      context.err() << fmt::format("{}: {}\n", member.node,
                                   base::Printable(member.error->message()));
    if (member.damaged > 0)
      context.err() << fmt::format("{}: {} secrets were found damaged\n", member.node,
                                   member.damaged);
  }
  for (const mirror::StepError& failed : report->applied.failed) {
    context.err() << fmt::format("{} {}: {}\n", failed.step.node, base::Printable(failed.step.name),
                                 base::Printable(failed.error.message()));
  }
  for (const mirror::Step& alarm : report->applied.alarms) {
    context.err() << fmt::format("alarm: {} {} {}: {}\n", alarm.node, base::Printable(alarm.name),
                                 alarm.version.ToString(), alarm.reason);
  }
  if (!whole)
    context.err() << context.WithCluster(
        "secrets are damaged, and nobody has them whole; kubectl hsm list names them\n");
  return FinishOperation(
      context, *log,
      complete ? cluster::OperationPhase::kSucceeded : cluster::OperationPhase::kPartial,
      Sentence(*report), complete ? kDone : kPartial);
}

}  // namespace

Verb SyncVerb() {
  return {"sync",
          "Make the mirrors equal to the Primary now, and prove it",
          {},
          {"kubectl hsm sync", "kubectl hsm sync --full", "kubectl hsm sync --dry-run"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<SyncWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Option("secret", "NAME", "only this secret", options->secret);
            words.Flag("full", "re-read and re-hash every value on every member first",
                       options->full);
            words.Flag("dry-run", "say what would be done", options->dry_run);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
