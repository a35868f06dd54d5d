// Policy: when a device's Primary is replaced by itself, as its spec has it.
#pragma once

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/decide.h"

namespace hsmops::manager {

// spec.mirroring.failover, or its defaults.
cluster::FailoverSpec FailoverOf(const cluster::HSMDevice& device);
failover::Policy PolicyOf(const cluster::HSMDevice& device);

}  // namespace hsmops::manager
