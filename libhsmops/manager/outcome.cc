#include "libhsmops/manager/outcome.h"

#include <fmt/format.h>

#include <string_view>

namespace hsmops::manager {
namespace {

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

bool WeighedNobody(const PromotionReport& report) {
  return report.to == report.from && report.candidates.empty();
}

}  // namespace

std::vector<std::string> ForeseenOf(const PromotionReport& report) {
  std::vector<std::string> lines;
  for (const failover::Candidate& candidate : report.candidates) {
    std::string reasons;
    for (const std::string& reason : candidate.reasons)
      reasons += (reasons.empty() ? "" : "; ") + reason;
    lines.push_back(
        fmt::format("{}: {}", candidate.node, candidate.eligible() ? "eligible" : reasons));
  }
  if (!report.lost.empty() && report.lost != "none") lines.push_back("would lose " + report.lost);
  return lines;
}

std::string SentenceOf(const PromotionReport& report, const PromotionOptions& options) {
  if (options.dry_run ? WeighedNobody(report) : !report.changed)
    return fmt::format("no change: {} is the Primary already", report.to);
  if (options.dry_run) {
    return fmt::format("would promote {} in place of {}; nothing was changed", report.to,
                       report.from.empty() ? "nobody" : report.from);
  }
  const bool planned = options.purpose == failover::Purpose::kPromote;
  return fmt::format("{} is the Primary of epoch {}: {} secrets{}, lost {}, {} {}", report.to,
                     report.epoch.counter, report.secrets, planned ? " proved equal" : "",
                     report.lost, report.stopped_known ? "writes stopped for" : "promoted in",
                     base::FormatDuration(report.writes_stopped));
}

std::vector<std::string> ForeseenOf(const SyncReport& report) {
  std::vector<std::string> lines;
  for (const mirror::Step& step : report.plan.steps) {
    lines.push_back(fmt::format(
        "{} {}: {} {} ({})", StepText(step.kind), step.node.empty() ? "-" : step.node,
        step.name.empty() ? "(unreadable)" : step.name, step.version.ToString(), step.reason));
  }
  for (const std::string& node : report.plan.unknown)
    lines.push_back(fmt::format("unknown {}: it cannot be asked", node));
  return lines;
}

std::string SentenceOf(const SyncReport& report, bool dry_run) {
  if (dry_run)
    return fmt::format("would do {} steps; nothing was changed", report.plan.steps.size());
  std::string text = fmt::format("copied {}, restored {}, quarantined {}", report.applied.copied,
                                 report.applied.restored, report.applied.quarantined);
  if (report.collected > 0) text += fmt::format(", {} deleted secrets collected", report.collected);
  if (report.uncollected > 0) text += fmt::format(" and {} to go", report.uncollected);
  for (const MemberSync& member : report.members) {
    if (member.node == report.primary) continue;
    text += fmt::format("; {} {}", member.node,
                        member.error   ? "unknown"
                        : member.equal ? fmt::format("equal to {}", report.primary)
                                       : std::string("NOT equal"));
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> TroublesOf(const SyncReport& report, bool whole) {
  std::vector<std::pair<std::string, std::string>> troubles;
  for (const MemberSync& member : report.members) {
    if (member.error) troubles.emplace_back(member.node, member.error->message());
    if (member.damaged > 0)
      troubles.emplace_back(member.node,
                            fmt::format("{} secrets were found damaged", member.damaged));
  }
  for (const mirror::StepError& failed : report.applied.failed) {
    troubles.emplace_back(fmt::format("{} {}", failed.step.node, failed.step.name),
                          failed.error.message());
  }
  for (const mirror::Step& alarm : report.applied.alarms) {
    troubles.emplace_back("alarm", fmt::format("{} {} {}: {}", alarm.node, alarm.name,
                                               alarm.version.ToString(), alarm.reason));
  }
  if (!whole) {
    troubles.emplace_back("damaged",
                          "there are secrets that nobody has whole; kubectl hsm list names them");
  }
  return troubles;
}

}  // namespace hsmops::manager
