// Election: which of several managers leads, by a Lease, as client-go's leader election has it.
//
// It only avoids duels: what is safe is so with two leaders too (protocol.md, 3). Whether a lease
// is over is judged by this process's own clock, from when it last saw it change, so clocks need
// not agree. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/cluster/lease.h"
#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/failover/cluster_state.h"

namespace hsmops::manager {

struct ElectionOptions {
  std::string ns;
  std::string lease = "hsm-manager";
  std::string identity;                                     // of this process, and of no other run
  std::string url;                                          // where its live API is; may be empty
  base::Duration lease_duration = std::chrono::seconds(8);  // whole seconds
  base::Duration renew = {};  // at most this often; zero: at each step
};

class Election {
 public:
  // Both must outlive it.
  Election(cluster::ResourceStore& resources, base::Clock& clock, ElectionOptions options)
      : resources_(resources), clock_(clock), options_(std::move(options)) {}

  // Takes, keeps or looks at the lease; to be called several times in each lease_duration. An
  // error: it could not look, which changes nothing until the lease runs out.
  base::Result<void> Step();
  // It leads, and its lease holds for at least a quarter of its time.
  bool Leads() const;
  // Of how many leaders, one after the other, this one was the last when it began: it changes when
  // another has led in between. 0: it never led.
  std::uint64_t term() const { return term_; }
  // Gives it up, so that the next one need not wait.
  void Resign();

  // As last seen; "" for nobody, also where whoever led has had its time.
  std::string leader() const;

 private:
  struct Seen {
    std::string version;
    base::TimePoint at;       // when it was first seen to be so
    base::Duration lasts{0};  // for so long its holder has it from then on
  };
  // Whether its holder has had its time, as this process saw it.
  bool Over(const cluster::Lease& lease);
  bool IsOver() const { return seen_ && clock_.Now() - seen_->at >= seen_->lasts; }
  base::Result<void> Claim(cluster::Lease lease, bool create);

  cluster::ResourceStore& resources_;
  base::Clock& clock_;
  const ElectionOptions options_;
  std::optional<Seen> seen_;
  std::optional<base::TimePoint> renewed_;  // asked for at that time, and granted since
  std::string leader_;
  std::uint64_t term_ = 0;
  bool begins_ = true;  // the next claim that is heard of is of another term
};

// Whether one leads, by the wall clock. Errors: those of reading the Lease.
base::Result<failover::Managers> LookForManagers(cluster::ResourceStore& resources,
                                                 base::Clock& clock, const std::string& ns);

// The annotation of the Lease that says where its holder's live API is.
inline constexpr const char* kLeaderUrlAnnotation = "hsm.j5t.io/url";

}  // namespace hsmops::manager
