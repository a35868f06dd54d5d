#include "libhsmops/manager/status_writer.h"

#include <algorithm>

#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/report.h"

namespace hsmops::manager {

using cluster::DeviceStatus;
using cluster::HSMDeviceStatus;

namespace {

constexpr std::chrono::seconds kPeriod{15};

// Without what changes with every look.
HSMDeviceStatus Steady(HSMDeviceStatus status) {
  for (DeviceStatus& device : status.devices) {
    device.last_seen.reset();
    device.last_sync_time.reset();
    device.latency_ms.reset();
    device.free_objects.reset();
    device.position.clear();
    device.checksum.clear();
    device.lag = {};
  }
  status.position.clear();
  return status;
}

}  // namespace

void StatusWriter::Write(Pool& pool, const failover::ClusterState& state,
                         const std::string& unread) {
  base::Clock& clock = pool.world().clock;
  const base::TimePoint now = clock.Now();
  const bool whole = !written_ || now - *written_ >= kPeriod;
  const auto written = pool.UpdateStatus([&](HSMDeviceStatus& status) {
    cluster::HSMDevice device = pool.device();
    device.status = status;
    // A member that begins to lag was equal until now, not until the status was last written.
    for (DeviceStatus& member : device.status.devices) {
      const auto equal = equal_at_.find(member.node_name);
      if (equal != equal_at_.end())
        member.last_sync_time = std::max(member.last_sync_time, std::optional(equal->second));
    }
    HSMDeviceStatus next = StatusOf(device, state, clock.Wall());
    if (!unread.empty()) AddOperationsUnreadable(device.metadata.name, unread, next);
    for (const DeviceStatus& member : next.devices) {
      if (member.last_sync_time) equal_at_[member.node_name] = *member.last_sync_time;
    }
    if (whole || Steady(next) != Steady(status)) status = std::move(next);
  });
  if (written.ok() && whole) written_ = now;
}

void StatusWriter::Forget() {
  written_.reset();
  equal_at_.clear();
}

}  // namespace hsmops::manager
