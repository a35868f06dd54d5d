// Report: the status of a device, from what was seen.
#pragma once

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"

namespace hsmops::manager {

// The status of `device` as `state` shows it at `now`. What only a sync or a promotion knows
// (history, last sync times, the promotion under way) is kept from device.status. Pure.
cluster::HSMDeviceStatus StatusOf(const cluster::HSMDevice& device,
                                  const failover::ClusterState& state, base::WallTime now);

// The same into a status that somebody may have written since `device` was read.
void Show(const cluster::HSMDevice& device, const failover::ClusterState& state, base::WallTime now,
          cluster::HSMDeviceStatus& status);

}  // namespace hsmops::manager
