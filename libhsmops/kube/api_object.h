// ApiObject: an object as the API server sends it, made one of ours.
//
// Internal to kube/.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object.h"

namespace hsmops::kube {

// Of a kind with this document, without metadata.managedFields: who wrote which field is as long as
// all the rest and nobody here asks, and an update without them leaves them as they are (Kubernetes
// API, server-side apply). kCorrupt: it is no object of that kind.
base::Result<cluster::Object> ObjectOf(cluster::Kind kind, nlohmann::json document);

}  // namespace hsmops::kube
