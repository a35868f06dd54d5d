#include "libhsmops/manager/policy.h"

namespace hsmops::manager {

cluster::FailoverSpec FailoverOf(const cluster::HSMDevice& device) {
  return device.spec.mirroring ? device.spec.mirroring->failover : cluster::FailoverSpec{};
}

failover::Policy PolicyOf(const cluster::HSMDevice& device) {
  failover::Policy policy;
  const cluster::FailoverMode mode = device.failover_mode();
  policy.mode = mode == cluster::FailoverMode::kAuto      ? failover::Mode::kAuto
                : mode == cluster::FailoverMode::kObserve ? failover::Mode::kObserve
                                                          : failover::Mode::kOff;
  policy.min_interval = FailoverOf(device).min_interval;
  return policy;
}

}  // namespace hsmops::manager
