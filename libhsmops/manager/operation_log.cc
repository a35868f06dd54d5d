#include "libhsmops/manager/operation_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/collecting.h"

namespace hsmops::manager {

using base::Result;
using cluster::HSMOperation;
using cluster::OperationPhase;

bool IsPromotion(const cluster::HSMOperationSpec& spec) {
  return spec.type == cluster::OperationType::kPromote ||
         spec.type == cluster::OperationType::kFailover;
}

std::string WantedOf(const HSMOperation& operation) {
  const auto& spec = operation.spec;
  if (!IsPromotion(spec) || operation.metadata.annotations.contains(cluster::kAutomatic)) return {};
  return spec.target_node.empty() ? spec.winner : spec.target_node;
}

bool IsRefusal(base::ErrorCode code) {
  return code != base::ErrorCode::kUnavailable && code != base::ErrorCode::kInDoubt;
}

Result<std::vector<HSMOperation>> OperationsOf(Pool& pool, std::string* refused) {
  HSM_TRY(auto all,
          cluster::LoadAll<HSMOperation>(pool.world().resources, pool.device().metadata.ns));
  if (refused != nullptr) *refused = all.refused.empty() ? "" : all.refused.front().message();
  std::erase_if(all.items, [&](const HSMOperation& operation) {
    return operation.spec.device_ref.name != pool.device().metadata.name;
  });
  std::stable_sort(all.items.begin(), all.items.end(),
                   [](const HSMOperation& a, const HSMOperation& b) {
                     return a.metadata.creation_timestamp < b.metadata.creation_timestamp;
                   });
  return std::move(all.items);
}

namespace {

constexpr std::chrono::seconds kProgressPeriod{1};

std::string TypeName(const cluster::HSMOperationSpec& spec) {
  for (const auto& named : cluster::NamesOf(cluster::OperationType{})) {
    if (spec.type == named.value) return std::string(named.name);
  }
  return "operation";
}

Result<void> EndAllAbandoned(Pool& pool, std::vector<HSMOperation>& operations) {
  for (HSMOperation& operation : operations) {
    if (operation.status.phase == OperationPhase::kRunning)
      HSM_RETURN_IF_ERROR(EndAbandoned(pool, operation));
  }
  return {};
}

Result<void> TidyUp(Pool& pool) {
  HSM_TRY(auto operations, OperationsOf(pool));
  HSM_RETURN_IF_ERROR(EndAllAbandoned(pool, operations));
  const base::WallTime now = pool.world().clock.Wall();
  Remove(pool.world(), Outdated(std::move(operations), now), [] { return true; });
  return {};
}

}  // namespace

std::optional<HSMOperation> RunningReinit(World& world, const std::string& ns,
                                          const std::string& device) {
  const auto all = world.resources.List(HSMOperation::kKind, ns);
  if (!all.ok()) return std::nullopt;
  for (const cluster::Object& object : all->items) {
    if (kube::TextIn(object.document(), "/status/phase") != "Running" ||
        kube::TextIn(object.document(), "/spec/type") != "Reinit" ||
        kube::TextIn(object.document(), "/spec/deviceRef/name") != device)
      continue;
    auto operation = HSMOperation::FromJson(object.document());
    if (operation.ok() && !operation->spec.dry_run) return *std::move(operation);
  }
  return std::nullopt;
}

Result<void> EndOperation(World& world, HSMOperation& operation, OperationPhase phase,
                          const std::string& result, const std::string& message) {
  operation.status.phase = phase;
  operation.status.completed_at = world.clock.Wall();
  operation.status.result = result;
  operation.status.message = message;
  HSM_TRY(operation, cluster::SaveStatus(world.resources, operation));
  return {};
}

bool WasBegun(const HSMOperation& operation) {
  return operation.status.phase == OperationPhase::kRunning || !operation.status.steps.empty();
}

Result<void> EndCancelled(World& world, HSMOperation& operation) {
  if (!WasBegun(operation))
    return EndOperation(world, operation, OperationPhase::kCancelled, "Cancelled",
                        "cancelled before it began; nothing was changed");
  std::string message = "it was begun, cut short and then cancelled; its steps say what was done";
  if (operation.spec.type == cluster::OperationType::kReinit)
    message += fmt::format("; {0} may be wiped: kubectl hsm reinit --node {0}",
                           base::Printable(operation.spec.target_node));
  return EndOperation(world, operation, OperationPhase::kCancelled,
                      std::string(base::Name(base::ErrorCode::kInDoubt)), message);
}

Result<void> EndAbandoned(Pool& pool, HSMOperation& operation) {
  return EndOperation(
      pool.world(), operation, OperationPhase::kFailed, operation.status.result,
      "its process ended before it did; the device's status and history say what holds");
}

Result<OperationLog> OperationLog::Begin(Pool& pool, cluster::HSMOperationSpec spec,
                                         const std::string& requested_by) {
  HSM_RETURN_IF_ERROR(TidyUp(pool).Within("operations"));
  HSMOperation operation;
  operation.metadata.annotations[cluster::kCarriedByCommand] = "true";
  if (!requested_by.empty()) operation.metadata.annotations[cluster::kRequestedBy] = requested_by;
  operation.spec = std::move(spec);
  NameIt(pool, operation);
  return Create(pool, operation);
}

OperationLog OperationLog::Make(Pool& pool, cluster::HSMOperationSpec spec) {
  HSMOperation operation;
  operation.metadata.annotations[cluster::kAutomatic] = "true";
  operation.spec = std::move(spec);
  NameIt(pool, operation);
  if (auto log = Create(pool, operation); log.ok()) return *std::move(log);
  operation.status.phase = OperationPhase::kRunning;
  OperationLog log(pool, std::move(operation));
  log.stored_ = false;
  return log;
}

void OperationLog::NameIt(Pool& pool, HSMOperation& operation) {
  std::string type = TypeName(operation.spec);
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  operation.metadata.ns = pool.device().metadata.ns;
  operation.metadata.name = fmt::format("{}-{}-{}", pool.device().metadata.name, type,
                                        base::Hex(pool.world().rng.Array<4>()));
  operation.spec.device_ref = {pool.device().metadata.name, ""};
  if (!operation.spec.ttl_seconds_after_finished)
    operation.spec.ttl_seconds_after_finished = kOperationTtl;
}

Result<OperationLog> OperationLog::Create(Pool& pool, const HSMOperation& operation) {
  HSM_RETURN_IF_ERROR(operation.Validate());  // before it is stored, where nobody could mend it
  HSM_TRY(HSMOperation created, cluster::CreateNew(pool.world().resources, operation));
  return Take(pool, std::move(created));
}

Result<OperationLog> OperationLog::Take(Pool& pool, HSMOperation operation) {
  operation.status.phase = OperationPhase::kRunning;
  operation.status.started_at = pool.world().clock.Wall();
  operation.status.message.clear();  // why it waited
  HSM_TRY(HSMOperation running, cluster::SaveStatus(pool.world().resources, operation));
  return OperationLog(pool, std::move(running));
}

OperationLog OperationLog::Rehearse(Pool& pool, cluster::HSMOperationSpec spec) {
  HSMOperation operation;
  operation.metadata.ns = pool.device().metadata.ns;
  operation.spec = std::move(spec);
  operation.spec.device_ref = {pool.device().metadata.name, ""};
  operation.spec.dry_run = true;
  OperationLog log(pool, std::move(operation));
  log.stored_ = false;
  return log;
}

std::optional<OperationLog> OperationLog::Find(Pool& pool, const std::string& name) {
  if (name.empty()) return std::nullopt;
  auto operation =
      cluster::Load<HSMOperation>(pool.world().resources, pool.device().metadata.ns, name);
  if (!operation.ok() || operation->status.phase != OperationPhase::kRunning) return std::nullopt;
  return OperationLog(pool, *std::move(operation));
}

void OperationLog::EndStep(cluster::StepState state) {
  auto& steps = operation_.status.steps;
  if (steps.empty() || steps.back().state != cluster::StepState::kRunning) return;
  steps.back().state = state;
  steps.back().completed_at = world_->clock.Wall();
}

void OperationLog::Add(const std::string& name, cluster::StepState state,
                       const std::string& message) {
  EndStep(cluster::StepState::kSucceeded);
  auto& steps = operation_.status.steps;
  if (steps.size() < cluster::kMaxSteps)
    steps.push_back({name, state, world_->clock.Wall(), std::nullopt, message});
  Save();
}

void OperationLog::Step(const std::string& name, const std::string& message) {
  Add(name, cluster::StepState::kRunning, message);
}

void OperationLog::Skip(const std::string& name, const std::string& message) {
  Add(name, cluster::StepState::kSkipped, message);
}

void OperationLog::Progress(std::uint64_t done, std::uint64_t total) {
  operation_.status.progress =
      cluster::OperationProgress{static_cast<std::int64_t>(done), static_cast<std::int64_t>(total)};
  if (world_->clock.Now() - saved_ >= kProgressPeriod) {
    Save();
  } else if (told_) {
    told_(operation_);
  }
}

const HSMOperation& OperationLog::Finish(OperationPhase phase, const std::string& result,
                                         const std::string& message) {
  EndStep(phase == OperationPhase::kFailed ? cluster::StepState::kFailed
                                           : cluster::StepState::kSucceeded);
  operation_.status.phase = phase;
  operation_.status.completed_at = world_->clock.Wall();
  operation_.status.result = result;
  operation_.status.message = message;
  Save();
  return operation_;
}

std::string OperationLog::Fail(const base::Error& error) {
  return Finish(OperationPhase::kFailed, std::string(base::Name(error.code())), error.message())
      .status.message;
}

// Somebody asked for its end, or our last word came through unheard: the status is ours as long as
// nobody else has begun it.
Result<HSMOperation> OperationLog::SaveAgain() {
  HSM_TRY(HSMOperation now,
          cluster::Load<HSMOperation>(world_->resources, operation_.metadata.ns, name()));
  if (now.status.phase != OperationPhase::kRunning ||
      now.status.started_at != operation_.status.started_at)
    return base::Error(base::ErrorCode::kConflict, name() + " is another's by now");
  now.status = operation_.status;
  return cluster::SaveStatus(world_->resources, now);
}

void OperationLog::Save() {
  if (stored_) {
    auto saved = cluster::SaveStatus(world_->resources, operation_);
    if (saved.Is(base::ErrorCode::kConflict)) saved = SaveAgain();
    // Another's, or gone: then it is nobody's to mend.
    unsaved_ = !saved.ok() && !saved.Is(base::ErrorCode::kConflict) &&
               !saved.Is(base::ErrorCode::kNotFound);
    if (saved.ok()) {
      saved->spec = std::move(operation_.spec);  // what was taken is what is carried out
      operation_ = *std::move(saved);
    }
  }
  saved_ = world_->clock.Now();
  if (told_) told_(operation_);
}

}  // namespace hsmops::manager
