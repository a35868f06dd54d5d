// Announcement: where a manager's live API is, for clients that know where the resources are and
// nothing else: a Lease for each replica that runs, as kube-apiservers have them.
//
// It is a hint. A client still wants the certificate of that manager, of the pool of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/lease.h"
#include "libhsmops/cluster/resource_store.h"

namespace hsmops::manager {

// "hsm-manager." and a number of that run.
inline constexpr const char* kAnnouncementPrefix = "hsm-manager.";
// Of that Lease: the name in the manager's certificate. Where it is: kLeaderUrlAnnotation.
inline constexpr const char* kManagerAnnotation = "hsm.j5t.io/manager";

struct Replica {
  std::string name;
  std::string url;  // https://host:port
  bool operator==(const Replica&) const = default;
};

// Not thread-safe.
class Announcement {
 public:
  // The references must outlive it.
  Announcement(cluster::ResourceStore& resources, base::Clock& clock, base::Rng& rng,
               std::string ns, Replica self);

  // Renews it when that is due, and removes those of runs that ended long ago; to be called about
  // every second. An error: it could not, and the next call tries again.
  base::Result<void> Step();
  // So that nobody is sent here any more. Unheard, it runs out.
  void Withdraw();

 private:
  base::Result<void> Renew();
  base::Result<void> RemoveOld();

  cluster::ResourceStore& resources_;
  base::Clock& clock_;
  const std::string ns_;
  const std::string lease_;
  const Replica self_;
  std::optional<base::TimePoint> renewed_;
  std::optional<base::TimePoint> tidied_;
};

// The replicas of this namespace whose announcement is not over, by the wall clock; one that was
// killed is among them for a while.
base::Result<std::vector<Replica>> FindReplicas(cluster::ResourceStore& resources,
                                                base::Clock& clock, const std::string& ns);

}  // namespace hsmops::manager
