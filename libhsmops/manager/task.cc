#include "libhsmops/manager/task.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/adoption.h"
#include "libhsmops/manager/coverage.h"
#include "libhsmops/manager/maintenance.h"
#include "libhsmops/manager/outcome.h"
#include "libhsmops/manager/promotion.h"
#include "libhsmops/manager/promotion_record.h"
#include "libhsmops/manager/reinit.h"
#include "libhsmops/manager/set_aside.h"
#include "libhsmops/manager/sync_record.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::HSMOperation;
using cluster::OperationPhase;
using cluster::OperationType;

namespace {

std::string Succeed(OperationLog& log, const std::string& sentence) {
  return log
      .Finish(OperationPhase::kSucceeded, log.operation().spec.dry_run ? kDryRun : "Done", sentence)
      .status.message;
}

// After its compare-and-swap a promotion only goes forward, if need be to another than who was
// asked for: that is not what was asked.
std::string EndPromotion(OperationLog& log, const std::string& to, const std::string& sentence) {
  const std::string wanted = WantedOf(log.operation());
  if (wanted.empty() || wanted == to)
    return log.Finish(OperationPhase::kSucceeded, "Done", sentence).status.message;
  return log
      .Finish(
          OperationPhase::kPartial, "Partial",
          fmt::format("{} was asked for and could not be made the Primary; {}", wanted, sentence))
      .status.message;
}

PromotionOptions OptionsOf(const HSMOperation& operation) {
  PromotionOptions options;
  options.purpose = operation.spec.type == OperationType::kPromote ? failover::Purpose::kPromote
                                                                   : failover::Purpose::kFailover;
  options.target =
      operation.spec.target_node.empty() ? operation.spec.winner : operation.spec.target_node;
  options.expected_primary = operation.spec.expected_primary;
  options.accept_loss = operation.spec.accept_loss;
  options.dry_run = operation.spec.dry_run;
  options.reason = operation.spec.reason;
  options.operation = operation.metadata.name;
  options.unless_paused = operation.metadata.annotations.contains(cluster::kAutomatic);
  options.asked_at = operation.metadata.creation_timestamp;
  return options;
}

// So many of a list are steps; the rest is counted.
void SkipAll(OperationLog& log, const std::vector<std::pair<std::string, std::string>>& all) {
  constexpr std::size_t kMost = cluster::kMaxSteps / 4;
  for (std::size_t i = 0; i < std::min(all.size(), kMost); ++i)
    log.Skip(all[i].first, all[i].second);
  if (all.size() > kMost)
    log.Skip(all.back().first, fmt::format("and {} more", all.size() - kMost));
}

void SkipAll(OperationLog& log, const std::string& name, const std::vector<std::string>& all) {
  std::vector<std::pair<std::string, std::string>> named;
  for (const std::string& one : all) named.emplace_back(name, one);
  SkipAll(log, named);
}

// kInDoubt: it is begun and only goes forward, which the next turn does.
std::string CarryPromotion(Pool& pool, OperationLog& log, const PromotionOptions& options) {
  const auto report = Promote(
      pool, options,
      [&](const std::string& name, const std::string& message) { log.Step(name, message); });
  // In doubt for another reason than R, where it may stand as begun, it is nobody's to go on with.
  if (report.Is(ErrorCode::kInDoubt) &&
      (!pool.ReloadArbiter().ok() || pool.arbiter().operation_id == log.name()))
    return report.error().message();
  if (!report.ok()) return log.Fail(report.error());
  const std::string sentence = SentenceOf(*report, options);
  if (!options.dry_run) return EndPromotion(log, report->to, sentence);
  SkipAll(log, kPlanStep, ForeseenOf(*report));
  return Succeed(log, sentence);
}

// kNotFound: everybody was asked, and nobody has it.
Result<void> CheckThere(Pool& pool, const std::string& secret) {
  if (secret.empty()) return {};
  const CoverageReport all = Cover(pool);
  const bool there = std::any_of(all.secrets.begin(), all.secrets.end(),
                                 [&](const auto& one) { return one.name == secret; });
  if (there || !all.unknown.empty()) return {};
  return Error(ErrorCode::kNotFound, fmt::format("no member has a secret {}", secret));
}

// The status is of now, and of the spec as it is: where a manager leads either may be another
// since.
bool RecordByNow(Pool& pool, const SyncReport& report) {
  (void)pool.ReloadArbiter();
  const auto changed = pool.ReloadDevice();
  if (pool.world().managers != failover::Managers::kLead || !changed.ok() || !*changed)
    return RecordSync(pool, report);
  const auto& device = pool.device().metadata;
  const auto now = Pool::Open(pool.world(), device.ns, device.name);
  return RecordSync(now.ok() ? **now : pool, report);
}

std::string CarrySync(Pool& pool, OperationLog& log, const Verified& verified) {
  const cluster::HSMOperationSpec& spec = log.operation().spec;
  SyncOptions options;
  options.secret = spec.secret;
  options.full = ReadsAllAgain(spec);
  options.verified = verified;
  options.dry_run = spec.dry_run;
  if (auto there = CheckThere(pool, options.secret); !there.ok()) return log.Fail(there.error());
  const auto report = Sync(
      pool, options, [&](std::uint64_t done, std::uint64_t total) { log.Progress(done, total); });
  if (!report.ok()) return log.Fail(report.error());
  const std::string sentence = SentenceOf(*report, options.dry_run);
  if (options.dry_run) {
    SkipAll(log, kPlanStep, ForeseenOf(*report));
    return Succeed(log, sentence);
  }
  const bool whole = RecordByNow(pool, *report);
  SkipAll(log, TroublesOf(*report, whole));
  if (whole && report->Complete()) return Succeed(log, sentence);
  return log.Finish(OperationPhase::kPartial, "Partial", sentence).status.message;
}

StepNote NoteIn(OperationLog& log) {
  return [&log](const std::string& name, const std::string& message) { log.Step(name, message); };
}

mirror::Progress ProgressIn(OperationLog& log) {
  return [&log](std::uint64_t done, std::uint64_t total) { log.Progress(done, total); };
}

std::string End(OperationLog& log, const Result<std::string>& ended) {
  return ended.ok() ? Succeed(log, *ended) : log.Fail(ended.error());
}

std::string CarryReinit(Pool& pool, OperationLog& log) {
  const cluster::HSMOperationSpec& spec = log.operation().spec;
  return End(log, Reinit(pool, {spec.target_node, spec.dry_run}, NoteIn(log), ProgressIn(log)));
}

std::string CarryAdopt(Pool& pool, OperationLog& log) {
  const bool dry_run = log.operation().spec.dry_run;
  const auto report = Adopt(pool, dry_run, ProgressIn(log));
  if (!report.ok()) return log.Fail(report.error());
  SkipAll(log, kPlanStep, report->foreseen);
  SkipAll(log, "not taken", report->not_taken);
  SkipAll(log, "in doubt", report->in_doubt);
  const std::string sentence = report->Sentence(dry_run);
  if (report->Complete()) return Succeed(log, sentence);
  const bool unsure = !report->in_doubt.empty();
  return log
      .Finish(OperationPhase::kPartial,
              unsure    ? std::string(base::Name(ErrorCode::kInDoubt))
              : dry_run ? kDryRun
                        : "Partial",
              sentence)
      .status.message;
}

std::string CarryDiscard(Pool& pool, OperationLog& log) {
  const cluster::HSMOperationSpec& spec = log.operation().spec;
  if (spec.dry_run)
    return log.Fail(Error(ErrorCode::kInvalid, "a Discard has no dry run: spec.dryRun"));
  std::string begun;
  for (const cluster::OperationStep& step : log.operation().status.steps) {
    if (step.name == kDiscardStep) begun = step.message;
  }
  return End(log, DiscardSetAside(pool, {spec.secret, spec.target_node, spec.version}, begun,
                                  NoteIn(log)));
}

}  // namespace

std::string Carry(Pool& pool, OperationLog& log, std::optional<base::TimePoint> failing_since) {
  const HSMOperation& operation = log.operation();
  switch (operation.spec.type.value_or(OperationType::kDrill)) {
    case OperationType::kSync:
    case OperationType::kVerify:
      return CarrySync(pool, log, {});
    case OperationType::kPromote:
    case OperationType::kFailover: {
      PromotionOptions options = OptionsOf(operation);
      if (options.purpose == failover::Purpose::kPromote && options.target.empty())
        return log.Fail(
            Error(ErrorCode::kInvalid, "a Promote names whom it promotes: spec.targetNode"));
      options.failing_since = failing_since;
      return CarryPromotion(pool, log, options);
    }
    case OperationType::kReinit:
      return CarryReinit(pool, log);
    case OperationType::kAdopt:
      return CarryAdopt(pool, log);
    case OperationType::kDiscard:
      return CarryDiscard(pool, log);
    case OperationType::kPause:
    case OperationType::kResume:
    case OperationType::kAck:
      return End(log, Maintain(pool, operation));
    default:
      return log.Fail(Error(ErrorCode::kInvalid, "there is nobody yet who does this"));
  }
}

bool TakesLong(const cluster::HSMOperationSpec& spec) {
  return spec.type == OperationType::kSync || spec.type == OperationType::kVerify ||
         spec.type == OperationType::kReinit || spec.type == OperationType::kAdopt;
}

bool ReadsAllAgain(const cluster::HSMOperationSpec& spec) {
  return spec.type == OperationType::kVerify || (spec.type == OperationType::kSync && spec.full);
}

std::string CarryVerified(Pool& pool, OperationLog& log, const Verified& verified) {
  return CarrySync(pool, log, verified);
}

Result<std::string> FinishPromotion(Pool& pool, OperationLog* log,
                                    const std::set<std::string>& tried) {
  PromotionOptions options;
  options.purpose = failover::Purpose::kFailover;
  if (log != nullptr) {
    options = OptionsOf(log->operation());
    options.expected_primary.clear();  // that was judged when it began
    options.dry_run = false;           // it is past P2, whatever somebody has written there since
    options.target.clear();
  }
  options.target = pool.NodeOf(pool.arbiter().target);
  const failover::ClusterState state = pool.Observe(false);
  const failover::MemberView* target = state.Find(options.target);
  if (target == nullptr || !target->Healthy() || tried.contains(options.target))
    options.target.clear();  // the best of the others
  options.avoid = tried;
  options.operation = pool.arbiter().operation_id;
  const StepNote note = [&](const std::string& name, const std::string& message) {
    if (log != nullptr) log->Step(name, message);
  };
  HSM_TRY(const PromotionReport report, Promote(pool, options, note));
  const std::string sentence = SentenceOf(report, options);
  return log == nullptr ? sentence : EndPromotion(*log, report.to, sentence);
}

}  // namespace hsmops::manager
