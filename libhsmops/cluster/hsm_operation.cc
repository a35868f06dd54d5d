#include "libhsmops/cluster/hsm_operation.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/document.h"

namespace hsmops::cluster {
namespace {

constexpr Named<OperationType> kOperationTypeNames[] = {
    {OperationType::kSync, "Sync"},       {OperationType::kVerify, "Verify"},
    {OperationType::kPromote, "Promote"}, {OperationType::kFailover, "Failover"},
    {OperationType::kPause, "Pause"},     {OperationType::kResume, "Resume"},
    {OperationType::kAck, "Ack"},         {OperationType::kReinit, "Reinit"},
    {OperationType::kAdopt, "Adopt"},     {OperationType::kDiscard, "Discard"},
    {OperationType::kDrill, "Drill"}};
constexpr Named<OperationPhase> kOperationPhaseNames[] = {
    {OperationPhase::kPending, "Pending"},     {OperationPhase::kRunning, "Running"},
    {OperationPhase::kSucceeded, "Succeeded"}, {OperationPhase::kFailed, "Failed"},
    {OperationPhase::kPartial, "Partial"},     {OperationPhase::kCancelled, "Cancelled"}};
constexpr Named<StepState> kStepNames[] = {{StepState::kPending, "Pending"},
                                           {StepState::kRunning, "Running"},
                                           {StepState::kSucceeded, "Succeeded"},
                                           {StepState::kFailed, "Failed"},
                                           {StepState::kSkipped, "Skipped"}};

}  // namespace

std::span<const Named<OperationType>> NamesOf(OperationType) { return kOperationTypeNames; }
std::span<const Named<OperationPhase>> NamesOf(OperationPhase) { return kOperationPhaseNames; }
std::span<const Named<StepState>> NamesOf(StepState) { return kStepNames; }

template <typename Fields>
void Describe(Fields& fields, HSMOperationSpec& spec) {
  fields("deviceRef", spec.device_ref);
  fields("type", spec.type);
  fields("targetNode", spec.target_node);
  fields("expectedPrimary", spec.expected_primary);
  fields("winner", spec.winner);
  fields("secret", spec.secret);
  fields("version", spec.version);
  fields("full", spec.full);
  fields("acceptLoss", spec.accept_loss);
  fields("dryRun", spec.dry_run);
  fields("cancel", spec.cancel);
  fields("until", spec.until);
  fields("reason", spec.reason);
  fields("notBefore", spec.not_before);
  fields("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished);
}

template <typename Fields>
void Describe(Fields& fields, OperationStep& step) {
  fields("name", step.name);
  fields("state", step.state);
  fields("startedAt", step.started_at);
  fields("completedAt", step.completed_at);
  fields("message", step.message);
}

template <typename Fields>
void Describe(Fields& fields, OperationProgress& progress) {
  fields("done", progress.done);
  fields("total", progress.total);
}

template <typename Fields>
void Describe(Fields& fields, HSMOperationStatus& status) {
  fields("phase", status.phase);
  fields("startedAt", status.started_at);
  fields("completedAt", status.completed_at);
  fields("progress", status.progress);
  fields("steps", status.steps);
  fields("result", status.result);
  fields("message", status.message);
}

base::Result<HSMOperation> HSMOperation::FromJson(const nlohmann::json& document) {
  HSM_TRY(HSMOperation operation, ReadDocument<HSMOperation>(document));
  HSM_RETURN_IF_ERROR(operation.Validate());
  return operation;
}

nlohmann::json HSMOperation::ToJson() const { return WriteDocument(*this); }
nlohmann::json HSMOperation::Schema() { return SchemaOf<HSMOperation>(); }

base::Result<void> HSMOperation::Validate() const {
  Problems problems;
  const auto expect_node = [&](std::string_view path, const std::string& node) {
    if (node.empty()) return;
    if (const auto fits = CheckName(node); !fits.ok()) problems.Add(path, fits.error().message());
  };
  if (!spec.type) problems.Add("spec.type", "is missing");
  if (spec.device_ref.name.empty()) problems.Add("spec.deviceRef.name", "must not be empty");
  // What is over stays readable.
  if (!Finished() && spec.type && spec.type != OperationType::kFailover && spec.accept_loss)
    problems.Add("spec.acceptLoss", fmt::format("is not for a {}", Name(*spec.type)));
  if (!Finished() && spec.type == OperationType::kPause && !spec.until)
    problems.Add("spec.until", "is missing: a Pause says when it ends");
  if (!Finished() && !spec.device_ref.ns.empty() && !metadata.ns.empty() &&
      spec.device_ref.ns != metadata.ns) {
    problems.Add("spec.deviceRef.namespace",
                 fmt::format("is {}, and an operation is for a device of its own namespace, {}",
                             base::Printable(spec.device_ref.ns), metadata.ns));
  }
  const bool has_no_dry_run = spec.type == OperationType::kPause ||
                              spec.type == OperationType::kResume ||
                              spec.type == OperationType::kAck;
  if (spec.dry_run && has_no_dry_run)
    problems.Add("spec.dryRun", fmt::format("is not for a {}", Name(*spec.type)));
  expect_node("spec.targetNode", spec.target_node);
  expect_node("spec.expectedPrimary", spec.expected_primary);
  expect_node("spec.winner", spec.winner);
  if (spec.version.size() > kMaxVersionBytes ||
      spec.version.find_first_not_of("0123456789abcdef.") != std::string::npos) {
    problems.Add("spec.version", "is no version, such as 7.142 or 7.142.00c0ffee00c0ffee");
  }
  if (spec.reason.size() > kMaxReasonBytes) {
    problems.Add("spec.reason", fmt::format("is {} bytes long, at most {} are allowed",
                                            spec.reason.size(), kMaxReasonBytes));
  }
  if (spec.ttl_seconds_after_finished && spec.ttl_seconds_after_finished->count() < 0) {
    problems.Add("spec.ttlSecondsAfterFinished",
                 fmt::format("{} is less than 0", spec.ttl_seconds_after_finished->count()));
  }
  if (status.steps.size() > kMaxSteps)
    problems.Add("status.steps",
                 fmt::format("are {}, at most {} are allowed", status.steps.size(), kMaxSteps));
  return problems.Finish();
}

bool HSMOperation::Finished() const {
  return status.phase != OperationPhase::kPending && status.phase != OperationPhase::kRunning;
}

bool HSMOperation::Expired(base::WallTime now) const {
  return Finished() && spec.ttl_seconds_after_finished && status.completed_at &&
         now >= *status.completed_at + *spec.ttl_seconds_after_finished;
}

}  // namespace hsmops::cluster
