#include "libhsmops/kube/secret_type.h"

#include <map>

namespace hsmops::kube {

namespace {

const std::map<std::string, std::vector<std::string>> kWanted{
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey"}},
    {"kubernetes.io/dockercfg", {".dockercfg"}},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}}};

}  // namespace

std::vector<std::string> MissingKeys(const std::string& type, const store::Keys& keys) {
  if (type == "kubernetes.io/basic-auth" && !keys.contains("username") &&
      !keys.contains("password"))
    return {"username or password"};
  std::vector<std::string> missing;
  const auto wanted = kWanted.find(type);
  if (wanted == kWanted.end()) return missing;
  for (const std::string& key : wanted->second) {
    if (!keys.contains(key)) missing.push_back(key);
  }
  return missing;
}

}  // namespace hsmops::kube
