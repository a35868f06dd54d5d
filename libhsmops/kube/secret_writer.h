// SecretWriter: Kubernetes Secrets with their values, which no ResourceStore carries.
//
// Source: Kubernetes API, core/v1 Secret; strategic merge patch ("$patch: replace").
#pragma once

#include <map>
#include <string>

#include "libhsmops/cluster/object_meta.h"
#include "libhsmops/kube/rest_client.h"
#include "libhsmops/store/secret.h"

namespace hsmops::kube {

// Of all values of one Secret, as the API server has it.
inline constexpr std::size_t kMaxKubeSecretBytes = std::size_t{1} << 20;

// What a Secret is to hold and to say of itself.
struct SecretContent {
  std::string ns;
  std::string name;
  std::string type;
  cluster::OwnerReference owner;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  store::Keys keys;
};

// Thread-safe.
class SecretWriter {
 public:
  // Both must outlive it. `timeout`: of one request.
  SecretWriter(RestClient& client, base::Clock& clock, base::Duration timeout)
      : client_(client), clock_(clock), timeout_(timeout) {}

  // The resourceVersion that came of it. kConflict: there is one of that name.
  base::Result<std::string> Create(const SecretContent& content);
  // All keys of the one with this resourceVersion are replaced; labels and annotations are added.
  // kConflict: it moved; kNotFound: it is gone; kInvalid: the API server refuses it, for instance
  // another type, or one that is immutable.
  base::Result<std::string> Replace(const SecretContent& content, const std::string& version);
  // kConflict, kNotFound as Replace.
  base::Result<void> Remove(const std::string& ns, const std::string& name,
                            const std::string& version);

 private:
  base::Result<std::string> Send(const char* verb, const SecretContent& content,
                                 RestRequest request);

  RestClient& client_;
  base::Clock& clock_;
  const base::Duration timeout_;
};

}  // namespace hsmops::kube
