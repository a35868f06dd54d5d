#include "libhsmops/manager/maintenance.h"

#include <fmt/format.h>

#include "libhsmops/manager/policy.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::HSMDeviceStatus;
using cluster::HSMOperation;

namespace {

std::string WhoAsked(const HSMOperation& operation) {
  const auto& annotations = operation.metadata.annotations;
  const auto who = annotations.find(cluster::kRequestedBy);
  return who == annotations.end() ? "operation " + operation.metadata.name : who->second;
}

std::string Pause(HSMDeviceStatus& status, const HSMOperation& operation, base::WallTime now) {
  const cluster::HSMOperationSpec& spec = operation.spec;
  status.paused = cluster::PausedStatus{WhoAsked(operation), spec.reason, now, spec.until};
  return fmt::format("paused until {}: nothing is promoted automatically; resume ends it",
                     base::FormatTime(*spec.until));
}

std::string Resume(HSMDeviceStatus& status) {
  const bool was = status.paused.has_value();
  status.paused.reset();
  return was ? "resumed" : "no change: it was not paused";
}

// One given in advance would let a device flap once more than minInterval allows.
std::string Acknowledge(const Pool& pool, HSMDeviceStatus& status, const HSMOperation& operation,
                        base::WallTime now) {
  const failover::ClusterState recorded = pool.Recorded();
  if (!failover::HeldUntil(recorded, PolicyOf(pool.device()), now))
    return "no change: minInterval does not hold back the next automatic failover";
  if (operation.metadata.creation_timestamp &&
      *recorded.last_failover > *operation.metadata.creation_timestamp &&
      *recorded.last_failover <= now)  // one of the future was told by a clock that was ahead
    return "no change: the last failover came after this was asked for";
  cluster::SetCondition(status.conditions,
                        {cluster::kFailoverAcknowledged, cluster::ConditionStatus::kTrue,
                         "Acknowledged", "by " + WhoAsked(operation), 0, std::nullopt},
                        now);
  return "acknowledged: minInterval does not hold back the next automatic failover";
}

}  // namespace

Result<std::string> Maintain(Pool& pool, const HSMOperation& operation) {
  const base::WallTime now = pool.world().clock.Wall();
  const auto type = operation.spec.type;
  if (type == cluster::OperationType::kPause &&
      (!operation.spec.until || *operation.spec.until <= now))
    return Error(ErrorCode::kInvalid, "spec.until must be in the future");
  std::string sentence;
  HSM_RETURN_IF_ERROR(pool.UpdateStatus([&](HSMDeviceStatus& status) {
    sentence = type == cluster::OperationType::kPause ? Pause(status, operation, now)
               : type == cluster::OperationType::kResume
                   ? Resume(status)
                   : Acknowledge(pool, status, operation, now);
  }));
  return sentence;
}

}  // namespace hsmops::manager
