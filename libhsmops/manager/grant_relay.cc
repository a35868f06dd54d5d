#include "libhsmops/manager/grant_relay.h"

#include "libhsmops/manager/grant.h"

namespace hsmops::manager {

using base::Result;

namespace {

constexpr int kLeaderShare = 5;   // of D: the leader renews so much later,
constexpr int kReplicaShare = 3;  // and the others

}  // namespace

Result<bool> GrantRelay::Relay(Pool& pool, bool leader) {
  HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
  const base::TimePoint now = pool.world().clock.Now();
  const bool first = version_.empty();
  if (version_ != pool.arbiter_version()) {
    version_ = pool.arbiter_version();
    changed_ = now;
  }
  const std::string primary = pool.holder();
  if (primary.empty() || !pool.Has(primary)) return false;
  const base::Duration grant_duration = pool.arbiter().grant_duration;
  const bool due = now - changed_ >= grant_duration / (leader ? kLeaderShare : kReplicaShare) ||
                   (leader && (first || !pool.arbiter().target_digest.empty()));
  if (!due) return false;
  HSM_RETURN_IF_ERROR(GrantTo(pool, primary));
  version_ = pool.arbiter_version();
  changed_ = now;
  return true;
}

}  // namespace hsmops::manager
