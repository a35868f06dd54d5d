// Conditions: what a device's status says of the device, one sentence to a condition.
#pragma once

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"

namespace hsmops::manager {

// Ready, PrimaryAvailable, Mirrored, FailoverReady, PinAccepted, Diverged, Paused and
// EpochRegressed as `state` shows them at `now`; those of other types in `status` stay. What a
// member that does not answer could have said is Unknown, unless another has settled it. Reads
// status.findings, .failure_tolerance and .paused, which are as of `state` too. metav1.Condition:
// a time changes with its status only. Pure.
void SetConditions(const failover::ClusterState& state, std::int64_t generation, base::WallTime now,
                   cluster::HSMDeviceStatus& status);

}  // namespace hsmops::manager
