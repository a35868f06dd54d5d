// DeliveryScene: a device "payments" with app/db = hunter2, and the HSMSecrets that ask for it.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <thread>
#include <vector>

#include "libhsmops/base/encoding.h"
#include "test/kube/kube_cluster.h"

namespace hsmops::test {

struct DeliveryScene {
  explicit DeliveryScene(const std::vector<std::string>& nodes = {"a", "b"}, int managers = 1,
                         ManagersGo go = ManagersGo::kStraight)
      : cluster(nodes, managers, go) {
    cluster.ApplyDevice();
    cluster.Until({"health"}, 0, "payments: healthy; Primary a");
    Put("hunter2");
  }

  void Put(const std::string& value) {
    const Ended put = cluster.HsmWith(value, {"put", "app/db", "--stdin-key", "password"});
    REQUIRE_MESSAGE(put.code == 0, put.out, put.err);
  }
  void Apply(const std::string& spec, const std::string& name = "db",
             const std::string& ns = "hsm-system") {
    cluster.Apply(
        fmt::format("apiVersion: hsm.j5t.io/v1alpha1\nkind: HSMSecret\nmetadata: {{name: "
                    "{}, namespace: {}}}\nspec: {}\n",
                    name, ns, spec));
  }
  std::string Field(const std::string& kind, const std::string& path,
                    const std::string& name = "db", const std::string& ns = "hsm-system") {
    return cluster.KubectlAnywhere({"get", kind, name, "-n", ns, "-o", "jsonpath=" + path});
  }
  // Until this field of that object is this, or 20 s are over.
  bool Becomes(const std::string& kind, const std::string& path, const std::string& value,
               const std::string& name = "db", const std::string& ns = "hsm-system") {
    for (int i = 0; i < 200; ++i) {
      if (Field(kind, path, name, ns) == value) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    MESSAGE(kind, " ", path, ": ", Field(kind, path, name, ns));
    return false;
  }
  // The same of the Secret's password.
  bool Delivers(const std::string& value, const std::string& name = "db",
                const std::string& ns = "hsm-system") {
    return Becomes("secret", "{.data.password}", base::Base64(base::AsBytes(value)), name, ns);
  }

  KubeCluster cluster;
};

}  // namespace hsmops::test
