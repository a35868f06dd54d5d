// DecideSyncSet: who is to leave S, who may come into it, and who has to be brought up to date;
// pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "libhsmops/failover/cluster_state.h"

namespace hsmops::failover {

struct SyncSetChange {
  std::set<std::string> drop;        // of S, failing for as long as it takes to be called so
  bool drop_strangers = false;       // S has members that are no nodes of the device any more
  std::set<std::string> add;         // fit for S and not in it; what they lack is copied first
  std::vector<std::string> lagging;  // healthy, in S or not, and not equal to the Primary
};

// `failing`: the nodes that a tracker calls unhealthy, or out of the Primary's reach, after its
// threshold. Nothing without a Primary that answers with its content: nobody could prove anything
// then. With durability Strict nobody leaves S when fewer than k would be left: writes are refused
// meanwhile, and what was acknowledged stays where P5 looks for it.
SyncSetChange DecideSyncSet(const ClusterState& state, const std::set<std::string>& failing,
                            bool strict);

}  // namespace hsmops::failover
