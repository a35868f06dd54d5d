#include "libhsmops/cluster/hsm_device_status.h"

#include <algorithm>

#include "libhsmops/cluster/field_schema.h"
#include "libhsmops/cluster/fields.h"

namespace hsmops::cluster {
namespace {

constexpr Named<DevicePhase> kDevicePhaseNames[] = {{DevicePhase::kUnset, ""},
                                                    {DevicePhase::kReady, "Ready"},
                                                    {DevicePhase::kDegraded, "Degraded"},
                                                    {DevicePhase::kReadOnly, "ReadOnly"},
                                                    {DevicePhase::kFailingOver, "FailingOver"},
                                                    {DevicePhase::kPaused, "Paused"},
                                                    {DevicePhase::kUnavailable, "Unavailable"},
                                                    {DevicePhase::kPending, "Pending"},
                                                    {DevicePhase::kDiscovering, "Discovering"},
                                                    {DevicePhase::kError, "Error"}};
constexpr Named<DeviceRole> kRoleNames[] = {{DeviceRole::kUnset, ""},
                                            {DeviceRole::kPrimary, "Primary"},
                                            {DeviceRole::kReadOnly, "ReadOnly"},
                                            {DeviceRole::kStandby, "Standby"}};
constexpr Named<Severity> kSeverityNames[] = {{Severity::kDegraded, "degraded"},
                                              {Severity::kCritical, "critical"}};

}  // namespace

std::span<const Named<DevicePhase>> NamesOf(DevicePhase) { return kDevicePhaseNames; }
std::span<const Named<DeviceRole>> NamesOf(DeviceRole) { return kRoleNames; }
std::span<const Named<Severity>> NamesOf(Severity) { return kSeverityNames; }

template <typename Fields>
void Describe(Fields& fields, EpochStatus& epoch) {
  fields("counter", epoch.counter);
  fields("nonce", epoch.nonce);
}

template <typename Fields>
void Describe(Fields& fields, Lag& lag) {
  fields("versions", lag.versions);
  fields("seconds", lag.seconds);
}

template <typename Fields>
void Describe(Fields& fields, DeviceStatus& device) {
  fields("nodeName", device.node_name);
  fields("role", device.role);
  fields("health", device.health);
  fields("available", device.available);
  fields("serialNumber", device.serial_number);
  fields("deviceInfo", device.device_info);
  fields("position", device.position);
  fields("lag", device.lag);
  fields("checksum", device.checksum);
  fields("lastSeen", device.last_seen);
  fields("lastSyncTime", device.last_sync_time);
  fields("latencyMs", device.latency_ms);
  fields("epoch", device.epoch);
  fields("inSync", device.in_sync);
  fields("pin", device.pin);
  fields("freeObjects", device.free_objects);
  fields("certificateNotAfter", device.certificate_not_after);
  fields("reachableFrom", device.reachable_from);
  fields("whyNot", device.why_not);
  fields("reason", device.reason);
  fields("message", device.message);
}

template <typename Fields>
void Describe(Fields& fields, MirroringStatus& mirroring) {
  fields("enabled", mirroring.enabled);
  fields("primaryNode", mirroring.primary_node);
  fields("mirroredNodes", mirroring.mirrored_nodes);
  fields("lastSyncTime", mirroring.last_sync_time);
  fields("syncErrors", mirroring.sync_errors);
  fields("failoverCount", mirroring.failover_count);
}

template <typename Fields>
void Describe(Fields& fields, PausedStatus& paused) {
  fields("by", paused.by);
  fields("reason", paused.reason);
  fields("since", paused.since);
  fields("until", paused.until);
}

template <typename Fields>
void Describe(Fields& fields, SecretCounts& secrets) {
  fields("total", secrets.total);
  fields("full", secrets.full);
  fields("partial", secrets.partial);
  fields("inconsistent", secrets.inconsistent);
  fields("unreplicated", secrets.unreplicated);
  fields("diverged", secrets.diverged);
}

template <typename Fields>
void Describe(Fields& fields, Finding& finding) {
  fields("severity", finding.severity);
  fields("subject", finding.subject);
  fields("reason", finding.reason);
  fields("message", finding.message);
  fields("nextStep", finding.next_step);
}

template <typename Fields>
void Describe(Fields& fields, HistoryEntry& entry) {
  fields("time", entry.time);
  fields("type", entry.type);
  fields("outcome", entry.outcome);
  fields("from", entry.from);
  fields("to", entry.to);
  fields("epoch", entry.epoch);
  fields("cause", entry.cause);
  fields("lost", entry.lost);
  fields("operation", entry.operation);
  fields("durationMs", entry.duration_ms);
}

template <typename Fields>
void Describe(Fields& fields, PromotionStatus& promotion) {
  fields("epoch", promotion.epoch);
  fields("target", promotion.target);
  fields("operation", promotion.operation);
  fields("startedAt", promotion.started_at);
}

template <typename Fields>
void DescribeStatus(Fields& fields, HSMDeviceStatus& status) {
  if (Fields::kReading || status.observed_generation != 0)
    fields("observedGeneration", status.observed_generation);
  fields("phase", status.phase);
  fields("epoch", status.epoch);
  if (Fields::kReading || status.epoch_floor != 0) fields("epochFloor", status.epoch_floor);
  fields("promotion", status.promotion);
  fields("primaryNode", status.primary_node);
  fields("position", status.position);
  fields("devices", status.devices);
  fields("mirroring", status.mirroring);
  fields("leaseHolder", status.lease_holder);
  fields("failureTolerance", status.failure_tolerance);
  fields("paused", status.paused);
  fields("secrets", status.secrets);
  fields("findings", status.findings);
  fields("history", status.history);
  fields("conditions", status.conditions);
}

void Describe(FieldReader& fields, HSMDeviceStatus& status) { DescribeStatus(fields, status); }
void Describe(FieldWriter& fields, HSMDeviceStatus& status) { DescribeStatus(fields, status); }
void Describe(FieldSchema& fields, HSMDeviceStatus& status) { DescribeStatus(fields, status); }

// The last failover is kept, whatever came after it: minInterval goes by it.
std::optional<base::WallTime> HSMDeviceStatus::PausedUntil(base::WallTime now) const {
  return paused && paused->until && *paused->until > now ? paused->until : std::nullopt;
}

void HSMDeviceStatus::Remember(HistoryEntry entry) {
  // A promotion that is tried again and again in vain is told once for each target.
  if (entry.outcome == kFailedOutcome && !entry.operation.empty()) {
    std::erase_if(history, [&](const HistoryEntry& one) {
      return one.outcome == kFailedOutcome && one.operation == entry.operation &&
             one.to == entry.to;
    });
  }
  // And a failover that cannot even be begun, once in a row.
  const bool again = !history.empty() && entry.outcome == kAbortedOutcome &&
                     entry.type == kUnplanned && history.back().outcome == entry.outcome &&
                     history.back().type == entry.type && history.back().to == entry.to;
  if (again) history.pop_back();
  history.push_back(std::move(entry));
  while (history.size() > kMaxHistory) {
    const auto last = std::find_if(history.rbegin(), history.rend(),
                                   [](const HistoryEntry& one) { return one.IsFailover(); });
    const bool first_is_last = last != history.rend() && std::next(last) == history.rend();
    history.erase(history.begin() + (first_is_last ? 1 : 0));
  }
}

void SortFindings(std::vector<Finding>& findings) {
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::severity);
}

}  // namespace hsmops::cluster
