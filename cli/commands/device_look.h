// DeviceLook: an HSMDevice as one look at its members shows it.
#pragma once

#include <optional>

#include "cli/context.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cli {

// The device with the status that `state` shows. What a look like this does not show is left out,
// though it may be on record: how many secrets there are. Asks the Primary for its names in the
// older layout, for the finding about those that adopt cannot take.
cluster::HSMDevice LookAt(Context& context, manager::Pool& pool,
                          const failover::ClusterState& state);

// Why none of its members could be asked by this command, where that is its own certificate's
// fault (missing, expired, of another pool, or of a role that may not look), and says nothing of
// the device. nullopt: somebody answered, or could not for another reason.
std::optional<base::Error> WhyNobodyWasAsked(const failover::ClusterState& state);

}  // namespace hsmops::cli
