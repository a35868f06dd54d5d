// ApiStatus: what an API server's refusal means here (Kubernetes API conventions, "Response Status
// Kind").
#pragma once

#include "libhsmops/kube/rest_client.h"

namespace hsmops::kube {

// What was asked, for a message and for `kubectl auth can-i`.
struct ApiVerb {
  std::string verb;      // "get", "list", "watch", "create", "update", "patch", "delete"
  std::string resource;  // "hsmdevices.hsm.j5t.io", with "/status" where it is that
  std::string ns;        // empty: of all
  std::string name;      // empty: of a list

  bool reads() const { return verb == "get" || verb == "list" || verb == "watch"; }
};

bool IsSuccess(int status);
// The history from there on is gone: list again.
bool IsExpired(int status);

// kNotFound 404 that names an object, kUnavailable any other 404; kConflict 409; kAuthFailed 401
// and 403, the latter with the line of `kubectl auth can-i` that shows it; kInvalid 400 and 422;
// kLimit 413; kUnavailable 429, 410 and, of what reads, all of 5xx; kInDoubt of what writes then,
// since a request that timed out may have taken effect. The message is the server's own, fit for a
// terminal.
base::Error ErrorOf(const RestAnswer& answer, const ApiVerb& asked);

}  // namespace hsmops::kube
