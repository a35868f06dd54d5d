// Look: an HSMDevice as one look at its members shows it, and what could be done with it now.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// The device with the status that `state` shows at `now`. What a look like this does not show is
// left out, though it may be on record: how many secrets there are. Asks the Primary for its names
// in the older layout, for the finding about those that adopt cannot take.
cluster::HSMDevice Look(Pool& pool, const failover::ClusterState& state, base::WallTime now);

// Whether it could be done right now, by what was seen.
struct Check {
  std::string purpose;  // "promote", "failover", "write"
  bool possible = false;
  std::string sentence;
  std::vector<failover::Candidate> candidates;
};

Check CheckPromotion(const Pool& pool, const failover::ClusterState& state, bool planned,
                     base::WallTime now);
// `no_grant`: why the Primary has none, where it has none and whoever asks would give it none;
// empty: the writer would. The Primary alone is the candidate.
Check CheckWrite(const Pool& pool, const failover::ClusterState& state,
                 const std::string& no_grant);
// Says no where members were told a later epoch than R's, whatever is asked.
void ObeyEpoch(const Pool& pool, const failover::ClusterState& state, Check& check);

// As an element of a device's status.checks.
nlohmann::json JsonOf(const Check& check);

}  // namespace hsmops::manager
