#include "libhsmops/manager/follow_spec.h"

namespace hsmops::manager {

using base::Result;

Result<void> FollowSpec(Pool& pool) {
  const cluster::HSMDevice& device = pool.device();
  cluster::Arbiter next = pool.arbiter();
  if (device.spec.mirroring) next.grant_duration = device.spec.mirroring->failover.grant_duration;
  if (next.grant_duration == pool.arbiter().grant_duration) return {};
  // A second change may come before the grants of the first have run out.
  const bool lately =
      next.grant_replaced_at &&
      pool.world().clock.Wall() - *next.grant_replaced_at < 2 * next.old_grant_duration;
  next.old_grant_duration = lately
                                ? std::max(next.old_grant_duration, pool.arbiter().grant_duration)
                                : pool.arbiter().grant_duration;
  next.grant_replaced_at = pool.world().clock.Wall();
  ++next.generation;
  return pool.SwapDespiteRenewal(next).Within("following the spec");
}

}  // namespace hsmops::manager
