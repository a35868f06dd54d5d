#include "libhsmops/manager/election.h"

#include "libhsmops/cluster/typed_store.h"

namespace hsmops::manager {

using base::ErrorCode;
using base::Result;
using cluster::Lease;

Result<void> Election::Step() {
  auto lease = cluster::Load<Lease>(resources_, options_.ns, options_.lease);
  if (lease.Is(ErrorCode::kNotFound)) {
    Lease fresh;
    fresh.metadata.ns = options_.ns;
    fresh.metadata.name = options_.lease;
    return Claim(std::move(fresh), true);
  }
  if (!lease.ok()) return lease.error();
  const bool over = Over(*lease);
  if (!over && leader_ != options_.identity) return {};
  if (!over && renewed_ && clock_.Now() - *renewed_ < options_.renew) return {};
  return Claim(*std::move(lease), false);
}

bool Election::Over(const Lease& lease) {
  leader_ = lease.spec.holder_identity.value_or("");
  const std::chrono::seconds duration(lease.spec.lease_duration_seconds.value_or(0));
  if (!seen_ || seen_->version != lease.metadata.resource_version)
    seen_ = Seen{lease.metadata.resource_version, clock_.Now(),
                 std::max<base::Duration>(duration, options_.lease_duration)};
  return leader_.empty() || IsOver();
}

std::string Election::leader() const { return IsOver() ? "" : leader_; }

Result<void> Election::Claim(Lease lease, bool create) {
  const base::TimePoint asked = clock_.Now();
  const base::WallTime wall = clock_.Wall();
  if (lease.spec.holder_identity != options_.identity) {
    lease.spec.acquire_time = wall;
    lease.spec.lease_transitions = create ? 0 : lease.spec.lease_transitions.value_or(0) + 1;
  }
  const bool begins = begins_ || lease.spec.holder_identity != options_.identity;
  lease.spec.holder_identity = options_.identity;
  lease.spec.lease_duration_seconds = static_cast<int>(
      std::chrono::duration_cast<std::chrono::seconds>(options_.lease_duration).count());
  lease.spec.renew_time = wall;
  lease.metadata.annotations[kLeaderUrlAnnotation] = options_.url;
  auto claimed = create ? cluster::CreateNew(resources_, lease) : cluster::Save(resources_, lease);
  if (claimed.Is(ErrorCode::kConflict)) {
    renewed_.reset();  // somebody was faster; the next step says who
    return {};
  }
  begins_ = begins;  // also where the answer is lost and the claim is there at the next look
  if (!claimed.ok()) return claimed.error();
  begins_ = false;
  if (begins) ++term_;
  renewed_ = asked;
  leader_ = options_.identity;
  seen_ = Seen{claimed->metadata.resource_version, asked, options_.lease_duration};
  return {};
}

bool Election::Leads() const {
  return renewed_ && leader_ == options_.identity &&
         clock_.Now() - *renewed_ < options_.lease_duration * 3 / 4;
}

void Election::Resign() {
  if (!Leads()) return;
  renewed_.reset();
  auto lease = cluster::Load<Lease>(resources_, options_.ns, options_.lease);
  if (!lease.ok() || lease->spec.holder_identity != options_.identity) return;
  lease->spec.holder_identity = "";
  (void)cluster::Save(resources_, *lease);  // unheard, the lease runs out
}

// It is renewed every second or so; one that is gone has not done so for a while.
Result<failover::Managers> LookForManagers(cluster::ResourceStore& resources, base::Clock& clock,
                                           const std::string& ns) {
  using failover::Managers;
  const auto lease = cluster::Load<Lease>(resources, ns, ElectionOptions{}.lease);
  if (lease.Is(ErrorCode::kNotFound)) return Managers::kNone;
  if (!lease.ok()) return lease.error();
  const bool held = !lease->spec.holder_identity.value_or("").empty();
  return held && lease->Fresh(clock.Wall()) ? Managers::kLead : Managers::kMissing;
}

}  // namespace hsmops::manager
