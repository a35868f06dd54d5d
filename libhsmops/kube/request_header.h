// RequestHeader: what a server behind the API server's aggregation layer has to know to believe it,
// and whom a request of it is for.
//
// Source: Kubernetes documentation, "Configure the Aggregation Layer"; k8s.io/apiserver's
// authentication/request/headerrequest, which it follows in what counts as a name, a group and an
// extra.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/kube/rest_client.h"

namespace hsmops::kube {

// Of the ConfigMap kube-system/extension-apiserver-authentication, which the API server keeps.
struct RequestHeader {
  std::string client_ca;                   // PEM: who vouches for front proxies
  std::vector<std::string> allowed_names;  // of theirs; none: any that it vouches for
  std::vector<std::string> username_headers;
  std::vector<std::string> uid_headers;
  std::vector<std::string> group_headers;
  std::vector<std::string> extra_prefixes;
  bool operator==(const RequestHeader&) const = default;

  // Everything in lower case, as header names are compared. kCorrupt: it does not say whom to
  // believe.
  static base::Result<RequestHeader> FromConfigMap(const nlohmann::json& document);
};

// kUnavailable also where aggregation is not configured: the ConfigMap names no authority.
base::Result<RequestHeader> ReadRequestHeader(RestClient& client, base::TimePoint deadline);

struct RequestUser {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  auto operator<=>(const RequestUser&) const = default;
};

// Whom the proxy says it asks for; names of `fields` in lower case. kAuthFailed: for nobody.
base::Result<RequestUser> UserOf(const RequestHeader& header,
                                 const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace hsmops::kube
