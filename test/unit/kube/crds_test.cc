#include "libhsmops/kube/crds.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/yaml.h"
#include "test/support/paths.h"
#include "test/support/temp_folder.h"

namespace hsmops::kube {

// HSMOPS_REWRITE=1 writes them anew.
TEST_CASE("manifests/crds holds what the types say") {
  for (const cluster::Kind kind : kCustomKinds) {
    const auto text = cluster::EmitYaml(CustomResourceDefinition(kind));
    REQUIRE(text.ok());
    const std::string path =
        fmt::format("{}/../manifests/crds/{}.yaml", test::TestFolder(), cluster::Plural(kind));
    if (std::getenv("HSMOPS_REWRITE") != nullptr) test::WriteText(path, *text);
    CHECK_MESSAGE(test::ReadText(path) == *text, path);
  }
}

TEST_CASE("a schema has every field that is read, the older spellings too") {
  const nlohmann::json device = CustomResourceDefinition(cluster::Kind::kHsmDevice);
  const auto& spec = device["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
                           ["spec"]["properties"];
  CHECK(spec["mirroring"]["properties"]["policy"]["enum"] ==
        nlohmann::json::array({"None", "ReadOnly", "Active"}));
  CHECK(spec["mirroring"]["properties"]["failover"]["properties"]["healthCheckInterval"]
            ["x-kubernetes-int-or-string"] == true);
  CHECK(spec["usb"]["properties"].contains("vendorId"));
  CHECK(spec.contains("pkcs11LibraryPath"));
}

}  // namespace hsmops::kube
