// LiveReply: answers of the live API in the forms that clients of Kubernetes know: objects, lists,
// tables, and a Status for what went wrong.
//
// Source: Kubernetes API conventions ("Response Status Kind", "Receiving resources as Tables").
// Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/manager/live_path.h"
#include "libhsmops/net/http_message.h"

namespace hsmops::manager {

net::Reply JsonReply(int status, const nlohmann::json& document);

// A Status of this error about `path`. Its details name the object only where it is surely not
// there, and its one cause the error's code, since HTTP has fewer of them: 404 kNotFound, 409
// kConflict, 400 kInvalid, 413 kLimit, 403 kAuthFailed, 504 kInDoubt, 503 kUnavailable, kReadOnly
// and kStaleEpoch, 500 what is left.
net::Reply StatusReply(const base::Error& error, const LivePath& path);
// A Status with this code and reason.
net::Reply StatusReply(int code, std::string_view reason, const std::string& message);

// Whether the Accept header asks for a meta.k8s.io/v1 Table.
bool WantsTable(std::string_view accept);
// As an object or, of a collection, a list: "MirroredSecretList".
net::Reply ObjectsReply(const LivePath& path, bool table, std::vector<nlohmann::json> items);

// What is served: APIGroupList, APIGroup and APIResourceList.
net::Reply DiscoveryReply(LivePath::What what);

// RFC 9111 (5.5) as Kubernetes has it: what kubectl prints as "Warning: …".
std::string WarningHeader(const std::vector<std::string>& warnings);

}  // namespace hsmops::manager
