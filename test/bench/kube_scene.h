// The kube tier's cluster, for a benchmark: two agents, one manager, a device with this many
// secrets, a real API server; and a client of its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libhsmops/kube/kube_resource_store.h"
#include "libhsmops/kube/secret_writer.h"
#include "test/bench/measure.h"
#include "test/kube/kube_cluster.h"

namespace hsmops::bench {

inline constexpr const char* kSystem = "hsm-system";

// Medians of a command's runs.
struct Cost {
  double seconds = 0;
  double megabytes = 0;
};

// Requests that an API server has answered since it began, by "verb resource".
using Requests = std::map<std::string, double>;

class KubeScene {
 public:
  KubeScene();

  test::KubeCluster& cluster() { return cluster_; }
  // The calling thread and what it starts are at the client's node as long as the scene lives.
  cluster::ResourceStore& store() { return *store_; }  // as admin
  kube::SecretWriter& writer() { return *writer_; }

  // So many secrets are on the device afterwards, by the names "bench-0", …, of 3 × 64 bytes.
  void FillDevice(int secrets);
  // HSMSecrets of these names in a namespace that is made where it is not there.
  void Ask(const std::string& ns, int secrets);
  // As a person with a kubeconfig of hsm-system, kubectl-hsm on the PATH. One after the other,
  // again and again, so that what else the machine does meets all of them.
  std::vector<Cost> CostsOf(const std::vector<std::vector<std::string>>& commands, int runs = 21);
  Requests RequestsSoFar();

 private:
  test::KubeCluster cluster_;
  test::Network::Visit there_;
  test::TempFolder folder_;
  std::shared_ptr<kube::RestClient> client_;
  std::unique_ptr<kube::KubeResourceStore> store_;
  std::unique_ptr<kube::SecretWriter> writer_;
  int filled_ = 0;
};

// Of an HSMSecret of that name, and its namespace.
cluster::Object HsmSecret(const std::string& ns, const std::string& name);

}  // namespace hsmops::bench
