#include "libhsmops/manager/follow_spec.h"

#include <algorithm>

namespace hsmops::manager {

using base::Result;

namespace {

constexpr double kRho = 0.05;                           // how far clock rates may differ
constexpr std::chrono::milliseconds kWaitMargin{1500};  // above D(1+rho)/(1-rho)

}  // namespace

Result<void> FollowSpec(Pool& pool) {
  const cluster::HSMDevice& device = pool.device();
  cluster::Arbiter next = pool.arbiter();
  if (device.spec.mirroring) next.grant_duration = device.spec.mirroring->failover.grant_duration;
  if (next.grant_duration == pool.arbiter().grant_duration) return {};
  // A second change may come before the grants of the first have run out: then OldGrants has not
  // taken it off yet. No wall clock is asked, for it may jump.
  const bool lately = next.grant_replaced_at.has_value();
  next.old_grant_duration = lately
                                ? std::max(next.old_grant_duration, pool.arbiter().grant_duration)
                                : pool.arbiter().grant_duration;
  next.grant_replaced_at = pool.world().clock.Wall();
  ++next.generation;
  return pool.SwapDespiteRenewal(next).Within("following the spec");
}

base::Duration LongestGrant(base::Duration grant_duration) {
  return std::chrono::duration_cast<base::Duration>(grant_duration * ((1 + kRho) / (1 - kRho))) +
         kWaitMargin;
}

Result<void> OldGrants::Forget(Pool& pool) {
  const cluster::Arbiter& r = pool.arbiter();
  if (!r.grant_replaced_at || r.phase == cluster::ArbiterPhase::kPromoting) return {};
  const base::TimePoint now = pool.world().clock.Now();
  if (change_ != r.grant_replaced_at) {
    change_ = r.grant_replaced_at;
    seen_ = now;
  }
  if (now - seen_ < LongestGrant(std::max(r.old_grant_duration, r.grant_duration))) return {};
  cluster::Arbiter next = r;
  next.old_grant_duration = next.grant_duration;
  next.grant_replaced_at.reset();
  return pool.SwapDespiteRenewal(next).Within("forgetting grants that have run out");
}

}  // namespace hsmops::manager
