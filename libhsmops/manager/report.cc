#include "libhsmops/manager/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/printable.h"
#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/conditions.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/findings.h"

namespace hsmops::manager {

using failover::ClusterState;
using failover::MemberView;

namespace {

cluster::DeviceStatus DeviceOf(const cluster::HSMDevice& device, const ClusterState& state,
                               const MemberView& member, base::WallTime now) {
  cluster::DeviceStatus out;
  for (const cluster::DeviceStatus& before : device.status.devices) {
    if (before.node_name != member.node) continue;
    out.last_seen = before.last_seen;
    out.last_sync_time = before.last_sync_time;
    out.serial_number = before.serial_number;
  }
  out.node_name = member.node;
  out.role = member.holder    ? cluster::DeviceRole::kPrimary
             : member.standby ? cluster::DeviceRole::kStandby
                              : cluster::DeviceRole::kReadOnly;
  out.available = member.Healthy();
  out.health = member.Healthy() ? "Healthy" : member.reachable() ? "Failed" : "Unknown";
  out.message = member.WhyUnhealthy();
  out.in_sync = member.in_sync_set || member.holder;
  const bool primary_well = state.Holder() != nullptr && state.Holder()->Healthy();
  for (const failover::Candidate& candidate : failover::Candidates(
           state, primary_well ? failover::Purpose::kPromote : failover::Purpose::kFailover)) {
    if (candidate.node == member.node) out.why_not = candidate.reasons;
  }
  if (!member.reachable()) return out;
  const mirror::MemberStatus& status = *member.status;
  if (!status.identity.serial.empty()) out.serial_number = status.identity.serial;
  out.device_info = {{"label", base::Printable(status.identity.label)},
                     {"manufacturer", base::Printable(status.identity.manufacturer)},
                     {"model", base::Printable(status.identity.model)},
                     {"profile", status.profile}};
  out.pin = token::Name(status.pin);
  out.epoch = status.epoch.counter;
  out.latency_ms = std::chrono::duration_cast<std::chrono::milliseconds>(member.latency).count();
  if (!member.Healthy()) return out;
  out.last_seen = now;
  out.free_objects = static_cast<std::int64_t>(status.free_objects);
  out.position = fmt::format("{}.{}", status.epoch.counter, status.lsn);
  const MemberView* primary = state.Holder();
  if (member.holder || EqualToPrimary(state, member)) {
    out.lag = {0, 0};
    out.last_sync_time = now;
  } else if (primary != nullptr && primary->Healthy()) {
    const auto ahead =
        static_cast<std::int64_t>(primary->status->lsn) - static_cast<std::int64_t>(status.lsn);
    out.lag.versions = std::max<std::int64_t>(1, ahead);
    if (out.last_sync_time)
      out.lag.seconds =
          std::chrono::duration_cast<std::chrono::seconds>(now - *out.last_sync_time).count();
  }
  return out;
}

// Known without asking for an inventory while every copy is equal; else unknown.
std::optional<cluster::SecretCounts> CountsOf(const ClusterState& state) {
  const MemberView* primary = state.Holder();
  if (primary == nullptr || !primary->Healthy()) return std::nullopt;
  if (FullCopies(state) != static_cast<int>(state.members.size())) return std::nullopt;
  cluster::SecretCounts counts;
  counts.total = static_cast<std::int64_t>(primary->status->secrets);
  counts.full = counts.total;
  for (const MemberView& member : state.members)
    counts.diverged += static_cast<std::int64_t>(member.status->quarantined);
  return counts;
}

}  // namespace

cluster::HSMDeviceStatus StatusOf(const cluster::HSMDevice& device, const ClusterState& state,
                                  base::WallTime now) {
  cluster::HSMDeviceStatus status = device.status;
  status.observed_generation = device.metadata.generation;
  status.epoch =
      cluster::EpochStatus{state.epoch.counter, fmt::format("{:016x}", state.epoch.nonce)};
  status.epoch_floor = std::max(status.epoch_floor, state.epoch.counter);
  status.primary_node = state.holder.value_or("");
  const MemberView* primary = state.Holder();
  const bool can_write = state.TakesWrites();
  status.position = primary != nullptr && primary->Healthy()
                        ? fmt::format("{}.{}", primary->status->epoch.counter, primary->status->lsn)
                        : "";
  status.devices.clear();
  for (const MemberView& member : state.members)
    status.devices.push_back(DeviceOf(device, state, member, now));
  status.failure_tolerance = std::max(0, FullCopies(state) - 1);
  status.findings = FindingsOf(device, state, now);
  if (!status.mirroring) status.mirroring.emplace();
  status.mirroring->enabled = state.members.size() > 1;
  status.mirroring->primary_node = status.primary_node;
  status.mirroring->mirrored_nodes.clear();
  for (const MemberView& member : state.members) {
    if (member.in_sync_set && !member.holder)
      status.mirroring->mirrored_nodes.push_back(member.node);
  }
  status.secrets = CountsOf(state);
  if (status.paused && status.paused->until && *status.paused->until <= now) status.paused.reset();
  if (state.promoting) {
    status.phase = cluster::DevicePhase::kFailingOver;
  } else if (!can_write) {
    status.phase = FullCopies(state) > 0 ? cluster::DevicePhase::kReadOnly
                                         : cluster::DevicePhase::kUnavailable;
  } else if (status.paused) {
    status.phase = cluster::DevicePhase::kPaused;
  } else {
    status.phase =
        status.findings.empty() ? cluster::DevicePhase::kReady : cluster::DevicePhase::kDegraded;
  }
  SetConditions(state, device.metadata.generation, now, status);
  return status;
}

void Show(const cluster::HSMDevice& device, const ClusterState& state, base::WallTime now,
          cluster::HSMDeviceStatus& status) {
  cluster::HSMDevice as_written = device;
  as_written.status = std::move(status);
  status = StatusOf(as_written, state, now);
}

}  // namespace hsmops::manager
