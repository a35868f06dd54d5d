// What managers make of an API server that fails: all they ask goes through the fault proxy, and
// everybody else goes on.
#include <doctest/doctest.h>

#include <thread>

#include "test/kube/delivery_scene.h"
#include "test/kube/primary_watch.h"
#include "test/kube/put_load.h"

namespace hsmops::test {
namespace {

constexpr const char* kWrites = "PUT POST PATCH DELETE";
constexpr const char* kWatches = "watch=1";

struct Trouble {
  std::string name;
  std::vector<Fault> faults;
};

// The record of who may write is the one thing that fails, or all do.
const std::vector<Trouble>& Troubles() {
  static const std::vector<Trouble> troubles = {
      {"record", {{.status = 500, .path = "leases/payments-primary"}}},
      {"refused", {{.status = 409, .methods = kWrites}, {.status = 410}}},
      {"too-many", {{.status = 429}}},
      {"errors", {{.status = 500}}},
      {"lost", {{.kind = FaultKind::kLoseAnswer, .methods = kWrites}}},
      {"kept", {{.kind = FaultKind::kKeepAnswer, .methods = kWrites}}},
      {"hangs", {{.kind = FaultKind::kHang}}}};
  return troubles;
}

std::string PrimaryOf(KubeCluster& cluster) {
  for (const std::string& node : cluster.nodes()) {
    if (cluster.PrimaryPage(node) == 200) return node;
  }
  return {};
}

// What was asked for ends, and says how.
bool AllOperationsEnd(KubeCluster& cluster) {
  std::string phases;
  for (int i = 0; i < 100; ++i) {
    phases = cluster.Kubectl(
        {"get", "hsmoperations", "-o", R"(jsonpath={range .items[*]}[{.status.phase}]{end})"});
    if (phases.find("[]") == std::string::npos && phases.find("[Pending]") == std::string::npos &&
        phases.find("[Running]") == std::string::npos)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  MESSAGE(phases);
  return false;
}

// While it lasts, secrets are written, a promotion is asked for, and an HSMSecret comes.
void Endure(DeliveryScene& scene, const Trouble& trouble) {
  CAPTURE(trouble.name);
  KubeCluster& cluster = scene.cluster;
  const std::string from = PrimaryOf(cluster);
  const std::string to = from == "a" ? "b" : "a";
  cluster.faults().Set(trouble.faults);
  scene.Apply("{hsmPath: app/db}", trouble.name);
  const Ended promoted = cluster.Hsm({"--timeout", "3s", "promote", "--to", to, "--yes"});
  CHECK(cluster.faults().met() > 0);
  cluster.faults().Set({});
  cluster.Until({"health"}, 0, "payments: healthy; Primary ");
  CHECK(scene.Delivers("hunter2", trouble.name));
  CHECK(AllOperationsEnd(cluster));
  CAPTURE(promoted.out);
  CAPTURE(promoted.err);
  if (promoted.code == 0) CHECK(PrimaryOf(cluster) == to);
  if (promoted.code == 1 || promoted.code == 5) CHECK(PrimaryOf(cluster) == from);
}

}  // namespace

TEST_CASE("whatever the API server answers to managers, nothing is lost and all goes on after") {
  DeliveryScene scene({"a", "b"}, 2, ManagersGo::kThroughFaults);
  const PrimaryWatch watch(scene.cluster);
  PutLoad load(scene.cluster);
  for (const Trouble& trouble : Troubles()) {
    Endure(scene, trouble);
    CHECK(load.Acknowledges(2));
  }
  CHECK(watch.Two() == "");
  CHECK(load.Wrong() == "");
  for (const int manager : {1, 2}) {
    CAPTURE(manager);
    CHECK(!scene.cluster.Metrics(manager).empty());  // the process of the begin answers
  }
}

TEST_CASE("watches that are cut, or that have expired: what changes afterwards is seen") {
  DeliveryScene scene({"a", "b"}, 1, ManagersGo::kThroughFaults);
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("hunter2"));
  FaultProxy& faults = scene.cluster.faults();
  const std::vector<Trouble> troubles = {
      {"cut", {}},
      {"refused", {{.status = 410, .path = kWatches}}},
      {"expired", {{.kind = FaultKind::kExpire, .path = kWatches}}}};
  for (const Trouble& trouble : troubles) {
    CAPTURE(trouble.name);
    faults.Set(trouble.faults);
    CHECK(faults.CutWatches() >= 3);  // of devices, HSMSecrets and Secrets
    scene.Apply("{hsmPath: app/db}", trouble.name);
    scene.cluster.Kubectl({"delete", "secret", "db"});
    CHECK(scene.Delivers("hunter2", trouble.name));
    CHECK(scene.Delivers("hunter2"));
    faults.Set({});
    scene.cluster.Kubectl({"delete", "secret", "db", trouble.name});
    CHECK(scene.Delivers("hunter2"));
    CHECK(scene.Delivers("hunter2", trouble.name));
  }
}

}  // namespace hsmops::test
