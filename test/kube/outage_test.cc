// What goes on, and what does not, while nobody can read or write the record.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "test/kube/delivery_scene.h"
#include "test/kube/primary_watch.h"
#include "test/kube/put_load.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kGrant{3};  // DeliveryScene's

// The Primary's grant is over soon after, and until `end` nobody takes a write or leads; the
// processes stay, and say why.
void Lasts(KubeCluster& cluster, const PutLoad& load, steady_clock::time_point begin,
           steady_clock::time_point end) {
  REQUIRE(cluster.BecomesPage("a", 503, "no grant"));
  CHECK(steady_clock::now() - begin < 2 * kGrant);
  const int acknowledged = load.acknowledged();
  REQUIRE(cluster.NobodyLeads());
  for (const int manager : {1, 2}) CHECK(cluster.BecomesReady(manager, 503));
  const Ended health = cluster.Hsm({"health"});
  CHECK_MESSAGE((health.code == 1 && Holds(health.err, cluster.api().url())), health.code,
                health.out, health.err);
  while (steady_clock::now() < end) {
    for (const std::string& node : cluster.nodes()) {
      REQUIRE(cluster.PrimaryPage(node) == 503);
      REQUIRE(Holds(cluster.Metrics(node), "hsm_device_up{node=\"" + node + "\"} 1"));
      REQUIRE(Holds(cluster.Metrics(node), "hsm_gate_open{node=\"" + node + "\"} 0"));
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
  CHECK(load.acknowledged() == acknowledged);
  CHECK(cluster.NobodyLeads());
}

// By itself, of the same epoch.
void Recovers(DeliveryScene& scene, const PutLoad& load, const std::string& name) {
  CHECK(scene.cluster.BecomesPage("a", 200, "it takes writes"));
  for (const int manager : {1, 2}) CHECK(scene.cluster.BecomesReady(manager, 200));
  CHECK(load.Acknowledges(5));
  scene.Apply("{hsmPath: app/db}", name);
  CHECK(scene.Delivers("hunter2", name));
  scene.cluster.Kubectl({"delete", "secret", "db"});
  CHECK(scene.Delivers("hunter2"));
  scene.cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  CHECK(Holds(scene.cluster.Hsm({"history"}).err, "no promotion yet"));
}

}  // namespace

TEST_CASE(
    "the API server or etcd is away for a minute: no grant, no write, and all goes on after") {
  DeliveryScene scene({"a", "b"}, 2);
  KubeCluster& cluster = scene.cluster;
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("hunter2"));
  const PrimaryWatch watch(cluster);
  PutLoad load(cluster);
  REQUIRE(load.Acknowledges(5));

  auto begin = steady_clock::now();
  cluster.api().Stop();
  Lasts(cluster, load, begin, begin + seconds(60));
  cluster.api().Start();
  Recovers(scene, load, "after-api");

  begin = steady_clock::now();
  cluster.api().StopEtcd();
  Lasts(cluster, load, begin, begin + seconds(60));
  cluster.api().StartEtcd();
  Recovers(scene, load, "after-etcd");

  CHECK(watch.Two() == "");
  CHECK(load.Wrong() == "");
}

}  // namespace hsmops::test
