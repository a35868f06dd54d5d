#include "libhsmops/manager/announcement.h"

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/election.h"

namespace hsmops::manager {

using base::ErrorCode;
using base::Result;
using cluster::Lease;

namespace {

constexpr std::chrono::seconds kRenewPeriod{2};
constexpr std::chrono::seconds kAnnouncedFor{8};
constexpr std::chrono::minutes kTidyPeriod{1};
// Clocks may differ by as much, and nobody is taken for gone who is not.
constexpr std::chrono::minutes kLongGone{15};

bool IsAnnouncement(const Lease& lease) {
  return lease.metadata.name.starts_with(kAnnouncementPrefix) &&
         lease.metadata.annotations.contains(kManagerAnnotation);
}

std::string Annotated(const Lease& lease, const char* name) {
  const auto found = lease.metadata.annotations.find(name);
  return found == lease.metadata.annotations.end() ? "" : found->second;
}

}  // namespace

Announcement::Announcement(cluster::ResourceStore& resources, base::Clock& clock, base::Rng& rng,
                           std::string ns, Replica self)
    : resources_(resources),
      clock_(clock),
      ns_(std::move(ns)),
      lease_(kAnnouncementPrefix + base::Hex(rng.Array<8>())),
      self_(std::move(self)) {}

Result<void> Announcement::Step() {
  const base::TimePoint now = clock_.Now();
  if (!renewed_ || now - *renewed_ >= kRenewPeriod) {
    HSM_RETURN_IF_ERROR(Renew());
    renewed_ = now;
  }
  if (tidied_ && now - *tidied_ < kTidyPeriod) return {};
  tidied_ = now;
  return RemoveOld();
}

Result<void> Announcement::Renew() {
  auto loaded = cluster::Load<Lease>(resources_, ns_, lease_);
  if (!loaded.ok() && !loaded.Is(ErrorCode::kNotFound)) return loaded.error();
  const bool is_new = !loaded.ok();
  Lease lease = is_new ? Lease{} : *std::move(loaded);
  lease.metadata.ns = ns_;
  lease.metadata.name = lease_;
  lease.metadata.annotations[kLeaderUrlAnnotation] = self_.url;
  lease.metadata.annotations[kManagerAnnotation] = self_.name;
  lease.spec.holder_identity = self_.name;
  lease.spec.lease_duration_seconds = static_cast<int>(kAnnouncedFor.count());
  lease.spec.renew_time = clock_.Wall();
  if (is_new) lease.spec.acquire_time = lease.spec.renew_time;
  const auto saved =
      is_new ? cluster::CreateNew(resources_, lease) : cluster::Save(resources_, lease);
  return saved.ok() ? Result<void>() : saved.error();
}

Result<void> Announcement::RemoveOld() {
  HSM_TRY(const auto leases, cluster::LoadAll<Lease>(resources_, ns_));
  for (const Lease& lease : leases.items) {
    const auto& renewed = lease.spec.renew_time;
    if (!IsAnnouncement(lease) || (renewed && clock_.Wall() - *renewed < kLongGone)) continue;
    // One that is renewed at this moment stays, by its version.
    (void)resources_.Delete(Lease::kKind, ns_, lease.metadata.name,
                            lease.metadata.resource_version);
  }
  return {};
}

void Announcement::Withdraw() {
  const auto lease = cluster::Load<Lease>(resources_, ns_, lease_);
  if (lease.ok())
    (void)resources_.Delete(Lease::kKind, ns_, lease_, lease->metadata.resource_version);
}

Result<std::vector<Replica>> FindReplicas(cluster::ResourceStore& resources, base::Clock& clock,
                                          const std::string& ns) {
  HSM_TRY(const auto leases, cluster::LoadAll<Lease>(resources, ns));
  std::vector<Replica> replicas;
  for (const Lease& lease : leases.items) {
    if (!IsAnnouncement(lease) || !lease.Fresh(clock.Wall())) continue;
    Replica replica{Annotated(lease, kManagerAnnotation), Annotated(lease, kLeaderUrlAnnotation)};
    if (!replica.url.empty() &&
        std::find(replicas.begin(), replicas.end(), replica) == replicas.end())
      replicas.push_back(std::move(replica));
  }
  return replicas;
}

}  // namespace hsmops::manager
