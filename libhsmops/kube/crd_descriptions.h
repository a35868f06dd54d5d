// What kubectl explain says of the fields that people write.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libhsmops/cluster/kind.h"

namespace hsmops::kube {

// Adds them to a structural schema of that kind's document.
void AddDescriptions(cluster::Kind kind, nlohmann::json& schema);

}  // namespace hsmops::kube
