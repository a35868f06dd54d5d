// A device that its leader cannot look after says so in its status.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using nlohmann::json;

json DeviceIn(cluster::ResourceStore& resources) {
  const auto object = resources.Get(cluster::Kind::kHsmDevice, "default", "d");
  REQUIRE(object.ok());
  return object->document();
}

std::string ReadyOf(const json& device) {
  for (const json& condition : device["status"]["conditions"]) {
    if (condition["type"] == "Ready") return condition["status"];
  }
  return "";
}

// Whose records of who may write cannot be read, as where a watch is broken and the server refuses.
class Shut : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    if (leases_fail && kind == cluster::Kind::kLease)
      return base::Error(base::ErrorCode::kUnavailable, "no answer in time");
    return PassingStore::Get(kind, ns, name);
  }
  bool leases_fail = false;
};

}  // namespace

TEST_CASE("a spec that is refused stands first in the status, until it is mended") {
  ManagedPool w({"a", "b"});
  auto& resources = w.pool.world().resources;
  Controller leader(w.pool.world(), "default", "d");
  w.TurnsOf(leader, 2);
  REQUIRE(ReadyOf(DeviceIn(resources)) == "True");
  w.WriteMirroring("minSyncMirrors", 7);
  w.TurnsOf(leader, 1);
  const json device = DeviceIn(resources);
  const json& first = device["status"]["findings"].at(0);
  CHECK(first["reason"] == "NotManaged");
  CHECK(first["severity"] == "critical");
  CHECK(first["message"].get<std::string>().find("minSyncMirrors") != std::string::npos);
  CHECK(ReadyOf(device) == "Unknown");
  CHECK(device["status"]["phase"] == "Degraded");
  CHECK(device["status"]["devices"].size() == 2);  // as it was seen last
  w.TurnsOf(leader, 3);
  CHECK(DeviceIn(resources) == device);  // once
  w.WriteMirroring("minSyncMirrors", 1);
  w.Grant();
  w.TurnsOf(leader, 1);
  CHECK(ReadyOf(DeviceIn(resources)) == "True");
  CHECK(DeviceIn(resources)["status"].value("findings", json::array()).empty());
}

TEST_CASE("whoever enrolled the device says so later, too") {
  ManagedPool w({"a", "b", "c"});
  w.pool.world().enrols = w.pool.Forget({"a", "b", "c"});
  Controller leader(w.pool.world(), "default", "d");
  w.TurnsOf(leader, 3);
  w.Grant();
  w.TurnsOf(leader, 3);
  auto& resources = w.pool.world().resources;
  REQUIRE(ReadyOf(DeviceIn(resources)) == "True");
  w.WriteMirroring("minSyncMirrors", 7);
  w.TurnsOf(leader, 1);
  CHECK(DeviceIn(resources)["status"]["findings"].at(0)["reason"] == "NotManaged");
}

TEST_CASE("what may pass by itself is written once it lasts") {
  ManagedPool w({"a", "b"});
  Shut resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  Controller leader(world, "default", "d");
  w.TurnsOf(leader, 2);
  const json before = DeviceIn(resources);
  resources.leases_fail = true;
  w.TurnsOf(leader, 3);
  CHECK(DeviceIn(resources) == before);
  w.TurnsOf(leader, 10);
  CHECK(DeviceIn(resources)["status"]["findings"].at(0)["reason"] == "NotManaged");
}

}  // namespace hsmops::manager
