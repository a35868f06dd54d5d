#include "libhsmops/manager/taking_over.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/promotion_record.h"

namespace hsmops::manager {

using base::ErrorCode;
using base::Result;
using cluster::HSMOperation;
using cluster::OperationPhase;

namespace {

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

Result<void> TakeOver(Pool& pool, const std::set<std::string>& in_hand) {
  auto listed = OperationsOf(pool);
  if (const auto untold = UntoldPromotion(pool)) RecordUntold(pool, *untold, listed);
  HSM_TRY(std::vector<HSMOperation> operations, std::move(listed));
  for (HSMOperation& operation : operations) {
    if (operation.status.phase != OperationPhase::kRunning) continue;
    const std::string& name = operation.metadata.name;
    if (name == pool.arbiter().operation_id || in_hand.contains(name)) continue;
    const auto taken = TakeOverOne(pool, operation, operations);
    // Of one that was changed meanwhile, or that nobody answers for, it has to be tried again.
    if (!taken.ok() && (!IsRefusal(taken.error().code()) || taken.Is(ErrorCode::kConflict)))
      return taken;
  }
  return {};
}

}  // namespace hsmops::manager
