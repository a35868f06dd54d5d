// DeviceLook: an HSMDevice as one look at its members shows it.
#pragma once

#include "cli/context.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cli {

// The device with the status that `state` shows. What a look like this does not show is left out,
// though it may be on record: how many secrets there are. Asks the Primary for its names in the
// older layout, for the finding about those that adopt cannot take.
cluster::HSMDevice LookAt(Context& context, manager::Pool& pool,
                          const failover::ClusterState& state);

}  // namespace hsmops::cli
