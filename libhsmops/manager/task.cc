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

// Whom a person asked for; empty: the best, as with the managers' own.
std::string WantedOf(const HSMOperation& operation) {
  const auto& spec = operation.spec;
  if (!IsPromotion(spec) || operation.metadata.annotations.contains(cluster::kAutomatic)) return {};
  return spec.target_node.empty() ? spec.winner : spec.target_node;
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
  (void)pool.ReloadArbiter();  // the status is of now
  const bool whole = RecordSync(pool, *report);
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

namespace {

// What may be lost by it was judged when it was asked for. Also one that its leader had begun.
constexpr std::chrono::minutes kForcedFor{10};

bool IsTooOld(Pool& pool, const HSMOperation& operation) {
  if (operation.spec.type != OperationType::kFailover || !operation.spec.accept_loss) return false;
  const auto asked = std::max(operation.metadata.creation_timestamp, operation.spec.not_before);
  return asked && pool.world().clock.Wall() - *asked > kForcedFor;
}

Result<void> EndTooOld(Pool& pool, HSMOperation& operation) {
  return EndOperation(
      pool.world(), operation, OperationPhase::kFailed,
      std::string(base::Name(ErrorCode::kReadOnly)),
      fmt::format(
          "it was asked for more than {} ago, and what it gives up may be more by now: ask again",
          base::FormatDuration(kForcedFor)));
}

// What was done is on record as it is: who goes on finds it there.
void BeginAgain(HSMOperation& operation) {
  operation.status.phase = OperationPhase::kPending;
  operation.status.started_at.reset();
  operation.status.progress.reset();
  for (cluster::OperationStep& step : operation.status.steps) {
    if (step.state == cluster::StepState::kRunning) step.state = cluster::StepState::kFailed;
  }
  if (operation.status.steps.size() < cluster::kMaxSteps)
    operation.status.steps.push_back({"again",
                                      cluster::StepState::kSkipped,
                                      {},
                                      {},
                                      "its manager ended before it; the next one begins again"});
}

// A promotion that was begun later is past its P2, so this one is not begun again.
bool IsSuperseded(const Pool& pool, const HSMOperation& operation,
                  const std::vector<HSMOperation>& all) {
  if (!IsPromotion(operation.spec)) return false;
  if (pool.arbiter().phase != cluster::ArbiterPhase::kPromoting) return false;
  return std::ranges::any_of(all, [&](const HSMOperation& other) {
    return other.metadata.name == pool.arbiter().operation_id &&
           other.status.started_at > operation.status.started_at;
  });
}

bool IsOtherFailover(const Pool& pool, const cluster::HSMOperationSpec& spec) {
  if (spec.type != OperationType::kFailover || spec.dry_run) return false;
  const std::string& target = spec.target_node.empty() ? spec.winner : spec.target_node;
  return spec.accept_loss || (pool.Has(target) && target != pool.NodeOf(pool.arbiter().target));
}

// Also where its operation cannot be read.
void RecordUntold(Pool& pool, const std::string& untold,
                  Result<std::vector<HSMOperation>>& operations) {
  HSMOperation* its = nullptr;
  if (operations.ok()) {
    const auto found = std::ranges::find(
        *operations, untold, [](const HSMOperation& operation) { return operation.metadata.name; });
    if (found != operations->end()) its = &*found;
  }
  RecordInItsStead(pool, its);
}

// A promotion that was asked for later has been made meanwhile: who asked for this one did not
// know.
bool IsOvertaken(const Pool& pool, const HSMOperation& operation,
                 const std::vector<HSMOperation>& all) {
  if (operation.spec.type != OperationType::kPromote || operation.spec.dry_run) return false;
  const auto asked = std::max(operation.metadata.creation_timestamp, operation.spec.not_before);
  const auto& history = pool.device().status.history;
  return std::ranges::any_of(all, [&](const HSMOperation& other) {
    return other.metadata.creation_timestamp > asked &&
           std::ranges::any_of(history, [&](const cluster::HistoryEntry& entry) {
             return entry.operation == other.metadata.name && entry.outcome == "Succeeded";
           });
  });
}

bool IsUrgent(const cluster::HSMOperationSpec& spec) {
  return !spec.dry_run && (IsPromotion(spec) || spec.type == OperationType::kPause ||
                           spec.type == OperationType::kResume || spec.type == OperationType::kAck);
}

// What may be done beside one that takes long. A planned promotion would end that in doubt, and it
// can wait.
bool IsShort(const cluster::HSMOperationSpec& spec) {
  return !TakesLong(spec) && (spec.dry_run || spec.type != OperationType::kPromote);
}

// Whether it is to be begun now. What is not to be begun at all is ended.
Result<bool> IsDue(Pool& pool, HSMOperation& operation, const std::vector<HSMOperation>& all,
                   Wanted wanted) {
  if (operation.spec.cancel) {
    HSM_RETURN_IF_ERROR(EndCancelled(pool.world(), operation));
    return false;
  }
  if (operation.spec.not_before && *operation.spec.not_before > pool.world().clock.Wall())
    return false;
  if (IsTooOld(pool, operation)) {
    HSM_RETURN_IF_ERROR(EndTooOld(pool, operation));
    return false;
  }
  if (IsOvertaken(pool, operation, all)) {
    HSM_RETURN_IF_ERROR(EndOperation(
        pool.world(), operation, OperationPhase::kFailed,
        std::string(base::Name(ErrorCode::kConflict)),
        "another promotion was asked for after this one and made before it: ask again"));
    return false;
  }
  if (wanted == Wanted::kNotReading && ReadsAllAgain(operation.spec)) return false;
  if (wanted == Wanted::kShort && !IsShort(operation.spec)) return false;
  if (wanted == Wanted::kUrgent && !IsUrgent(operation.spec)) return false;
  return wanted != Wanted::kOtherFailover || IsOtherFailover(pool, operation.spec);
}

// For what it waits; "" for nothing any more. True: that was another.
bool SayWaiting(Pool& pool, HSMOperation& operation, const std::string& what) {
  if (operation.status.message == what) return false;
  operation.status.message = what;
  if (auto saved = cluster::SaveStatus(pool.world().resources, operation); saved.ok())
    operation = *std::move(saved);
  return true;
}

std::string WaitsFor(const cluster::HSMOperationSpec& spec, Wanted wanted,
                     const std::string& in_hand) {
  if (wanted != Wanted::kShort || IsShort(spec)) return {};
  return fmt::format("it waits for {} to end", in_hand);
}

// The store answers, and of this object it does not want this write.
bool IsRefusal(ErrorCode code) {
  return code != ErrorCode::kUnavailable && code != ErrorCode::kInDoubt;
}

}  // namespace

Result<std::optional<OperationLog>> BeginNext(Pool& pool, Wanted wanted, std::string* refused,
                                              const std::string& in_hand) {
  HSM_TRY(std::vector<HSMOperation> operations, OperationsOf(pool, refused));
  // One at a time, for a store may be slow.
  bool said = wanted != Wanted::kAny && wanted != Wanted::kShort;
  for (HSMOperation& operation : operations) {
    if (operation.status.phase != OperationPhase::kPending) continue;
    if (!said) said = SayWaiting(pool, operation, WaitsFor(operation.spec, wanted, in_hand));
    const auto due = IsDue(pool, operation, operations, wanted);
    if (due.ok() && !*due) continue;
    auto begun = due.ok() ? OperationLog::Take(pool, operation) : Result<OperationLog>(due.error());
    if (begun.ok()) return std::optional(*std::move(begun));
    if (!IsRefusal(begun.error().code())) return begun.error();
    if (refused != nullptr) *refused = begun.error().message();
  }
  return std::optional<OperationLog>();
}

namespace {

// So that it is of another operation, which had this name. Two managers' clocks may differ.
bool EndedBefore(const cluster::HistoryEntry& entry, const HSMOperation& operation) {
  constexpr std::chrono::minutes kApart{1};
  return entry.time && operation.status.started_at &&
         *entry.time + kApart < *operation.status.started_at;
}

Result<void> EndByHistory(Pool& pool, HSMOperation& operation, const cluster::HistoryEntry& entry) {
  const bool done = entry.outcome == "Succeeded";
  const std::string wanted = WantedOf(operation);
  const bool as_asked = wanted.empty() || wanted == entry.to;
  std::string message =
      fmt::format("its manager ended before it could say so; the history says {}", entry.outcome);
  if (!done)
    return EndOperation(pool.world(), operation, OperationPhase::kFailed, entry.outcome, message);
  if (as_asked)
    return EndOperation(pool.world(), operation, OperationPhase::kSucceeded, "Done",
                        std::move(message));
  message += fmt::format(" for {}, and {} was asked for", entry.to, wanted);
  return EndOperation(pool.world(), operation, OperationPhase::kPartial, "Partial",
                      std::move(message));
}

Result<void> TakeOverOne(Pool& pool, HSMOperation& operation,
                         const std::vector<HSMOperation>& all) {
  const auto& history = pool.device().status.history;
  const auto entry =
      std::find_if(history.rbegin(), history.rend(), [&](const cluster::HistoryEntry& one) {
        return one.operation == operation.metadata.name && !EndedBefore(one, operation);
      });
  if (entry != history.rend()) return EndByHistory(pool, operation, *entry);
  if (operation.metadata.annotations.contains(cluster::kCarriedByCommand))
    return EndAbandoned(pool, operation);
  if (IsSuperseded(pool, operation, all))
    return EndOperation(pool.world(), operation, OperationPhase::kFailed, kSuperseded,
                        pool.arbiter().operation_id + " goes on in its stead");
  BeginAgain(operation);
  HSM_TRY(operation, cluster::SaveStatus(pool.world().resources, operation));
  return {};
}

}  // namespace

Result<void> TakeOver(Pool& pool, const std::string& in_hand) {
  auto listed = OperationsOf(pool);
  if (const auto untold = UntoldPromotion(pool)) RecordUntold(pool, *untold, listed);
  HSM_TRY(std::vector<HSMOperation> operations, std::move(listed));
  for (HSMOperation& operation : operations) {
    if (operation.status.phase != OperationPhase::kRunning) continue;
    const std::string& name = operation.metadata.name;
    if (name == pool.arbiter().operation_id || name == in_hand) continue;
    const auto taken = TakeOverOne(pool, operation, operations);
    // Of one that was changed meanwhile, or that nobody answers for, it has to be tried again.
    if (!taken.ok() && (!IsRefusal(taken.error().code()) || taken.Is(ErrorCode::kConflict)))
      return taken;
  }
  return {};
}

}  // namespace hsmops::manager
