// The CustomResourceDefinitions of our kinds (apiextensions.k8s.io/v1), made from the types that
// read them; manifests/crds/ holds what comes of it, and a test that it does.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>

#include "libhsmops/cluster/kind.h"

namespace hsmops::kube {

inline constexpr std::array kCustomKinds = {cluster::Kind::kHsmDevice, cluster::Kind::kHsmSecret,
                                            cluster::Kind::kHsmOperation};

// `kind`: one of kCustomKinds.
nlohmann::json CustomResourceDefinition(cluster::Kind kind);

}  // namespace hsmops::kube
