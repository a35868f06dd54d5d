// WhyNobodyWasAsked: what every look at the members of a device has in common.
#pragma once

#include <optional>

#include "libhsmops/failover/cluster_state.h"

namespace hsmops::cli {

// Why none of its members could be asked by this command, where that is its own certificate's
// fault (missing, expired, of another pool, or of a role that may not look), and says nothing of
// the device. nullopt: somebody answered, or could not for another reason.
std::optional<base::Error> WhyNobodyWasAsked(const failover::ClusterState& state);

}  // namespace hsmops::cli
