// SelfReview: who the API server takes us for.
//
// Source: authentication.k8s.io/v1, SelfSubjectReview (Kubernetes 1.28); everybody who is
// authenticated may ask.
#pragma once

#include <string>

#include "libhsmops/kube/rest_client.h"

namespace hsmops::kube {

// The user's name: "alice", "system:serviceaccount:ci:deploy". kUnavailable: it does not say.
base::Result<std::string> WhoAmI(RestClient& client, base::TimePoint deadline);

}  // namespace hsmops::kube
