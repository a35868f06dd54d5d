#include "libhsmops/manager/next_operation.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/task.h"

namespace hsmops::manager {

using base::ErrorCode;
using base::Result;
using cluster::HSMOperation;
using cluster::OperationPhase;
using cluster::OperationType;

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

bool IsOtherFailover(const Pool& pool, const cluster::HSMOperationSpec& spec) {
  if (spec.type != OperationType::kFailover || spec.dry_run) return false;
  const std::string& target = spec.target_node.empty() ? spec.winner : spec.target_node;
  return spec.accept_loss || (pool.Has(target) && target != pool.NodeOf(pool.arbiter().target));
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

std::string WaitsFor(Pool& pool, const cluster::HSMOperationSpec& spec, Wanted wanted,
                     const std::string& in_hand) {
  const bool is_early = spec.not_before && *spec.not_before > pool.world().clock.Wall();
  if (wanted != Wanted::kShort || IsShort(spec) || is_early || spec.cancel) return {};
  return fmt::format("it waits for {} to end", in_hand);
}

}  // namespace

Result<std::optional<OperationLog>> BeginNext(Pool& pool, Wanted wanted, std::string* refused,
                                              const std::string& in_hand) {
  HSM_TRY(std::vector<HSMOperation> operations, OperationsOf(pool, refused));
  // One at a time, for a store may be slow.
  bool said = wanted != Wanted::kAny && wanted != Wanted::kShort;
  for (HSMOperation& operation : operations) {
    if (operation.status.phase != OperationPhase::kPending) continue;
    if (!said) said = SayWaiting(pool, operation, WaitsFor(pool, operation.spec, wanted, in_hand));
    const auto due = IsDue(pool, operation, operations, wanted);
    if (due.ok() && !*due) continue;
    auto begun = due.ok() ? OperationLog::Take(pool, operation) : Result<OperationLog>(due.error());
    if (begun.ok()) return std::optional(*std::move(begun));
    if (!IsRefusal(begun.error().code())) return begun.error();
    if (refused != nullptr) *refused = begun.error().message();
  }
  return std::optional<OperationLog>();
}

}  // namespace hsmops::manager
