// SyncSetKeeper: keeps S of a device as its members are: who fails leaves it, who holds everything
// comes in, and what a change left behind ends (protocol.md, 3; docs/adr/0020).
//
// One change a turn. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/failover/sync_set.h"
#include "libhsmops/manager/follow_spec.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/manager/turned.h"

namespace hsmops::manager {

class SyncSetKeeper {
 public:
  // As the looks of some time have it.
  struct Failing {
    std::set<std::string> unhealthy;
    std::set<std::string> unreached;  // by the Primary
    int threshold = 1;                // how often in a row is too often
    // Work beside the turns may be about to swap what it has prepared.
    bool beside = false;
  };
  using Syncer = std::function<base::Result<SyncReport>(const SyncOptions& options)>;

  // nullopt: there was nothing to do. `sync`: empty where nobody is to be copied to now.
  base::Result<std::optional<Turned>> Keep(Pool& pool, const failover::ClusterState& state,
                                           const Failing& found, const Syncer& sync);
  // What was learnt by looking.
  void Forget();

 private:
  base::Result<Turned> Drop(Pool& pool, const failover::SyncSetChange& change,
                            const std::set<std::string>& unhealthy,
                            const std::set<std::string>& refusing);
  base::Result<void> CatchUp(Pool& pool, const failover::SyncSetChange& change, const Syncer& sync);
  base::Result<std::optional<Turned>> Add(Pool& pool, const failover::ClusterState& state,
                                          failover::SyncSetChange change, bool beside);
  base::Result<void> AddOne(Pool& pool, std::set<std::string>& candidates, int k);
  base::Result<void> EndPrepared(Pool& pool, const failover::ClusterState& state, bool beside);
  void NoteRefusals(const std::vector<std::string>& asked, const SyncReport& report);
  std::set<std::string> Refusing(int threshold) const;

  std::map<std::string, int> refusals_;  // how often in a row a mirror took no copy
  struct Prepared {
    std::uint64_t generation = 0;  // under which a prepare was seen to hold
    base::TimePoint since;
  };
  std::optional<Prepared> prepared_;
  OldGrants old_grants_;
};

}  // namespace hsmops::manager
