// What an API server refuses of our kinds beyond their types: bounds, patterns, and rules in CEL
// (x-kubernetes-validations), so that nonsense is refused when it is written.
//
// Not stricter than what reads it (the types' Validate), but for attribute names of pkcs11: URIs
// with a '%', which RFC 7512 does not have, and for how many namespaces may be allowed; less strict
// where that needs what an API server does not know, as who the members are where EndpointSlices
// say it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libhsmops/cluster/kind.h"

namespace hsmops::kube {

// Adds them to a structural schema of that kind's document.
void AddRules(cluster::Kind kind, nlohmann::json& schema);

}  // namespace hsmops::kube
