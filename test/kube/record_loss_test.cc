// What managers make of a record that is away, taken from them, or older than what they wrote.
#include <doctest/doctest.h>

#include <csignal>
#include <iterator>
#include <sstream>

#include "test/kube/delivery_scene.h"
#include "test/kube/primary_watch.h"
#include "test/kube/put_load.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

// The words behind the first "next: kubectl hsm --kubeconfig FILE", and --yes.
std::vector<std::string> NextOf(const std::string& health) {
  const std::size_t at = health.find("next: kubectl hsm --kubeconfig ");
  REQUIRE_MESSAGE(at != std::string::npos, health);
  std::istringstream line(health.substr(at, health.find('\n', at) - at));
  std::vector<std::string> words{std::istream_iterator<std::string>(line), {}};
  words.erase(words.begin(), words.begin() + 5);
  words.push_back("--yes");
  return words;
}

// The manager's log says which verb is missing.
void TakeRoleAway(DeliveryScene& scene) {
  KubeCluster& cluster = scene.cluster;
  cluster.Kubectl({"delete", "rolebinding", "manager-hsm-manager"});
  REQUIRE(cluster.BecomesPage("a", 503, "no grant"));
  CHECK(cluster.Manager(1).WaitFor("kubectl auth can-i list hsmdevices.hsm.j5t.io -n hsm-system"));
  CHECK(cluster.Manager(1).WaitFor(
      "kubectl auth can-i get leases.coordination.k8s.io -n hsm-system"));
  cluster.Until({"health"}, 3, "NoManager");
  cluster.Kubectl({"create", "rolebinding", "manager-hsm-manager", "--clusterrole", "hsm-manager",
                   "--user", "manager"});
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  scene.Put("changed");
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("changed"));
}

}  // namespace

TEST_CASE(
    "a role that is gone ends grants; CRDs that are gone enrol nobody anew and take no value") {
  DeliveryScene scene({"a", "b"}, 2);
  KubeCluster& cluster = scene.cluster;
  TakeRoleAway(scene);
  REQUIRE(cluster.Hsm({"promote", "--to", "b", "--yes"}).code == 0);
  const auto record = [&](const std::string& path) {
    return cluster.Kubectl({"get", "lease", "payments-primary", "-o", "jsonpath=" + path});
  };
  const std::string pool = record(R"({.metadata.annotations.hsm\.j5t\.io/pool-uid})");
  const std::string uid = record("{.metadata.uid}");
  REQUIRE(!pool.empty());
  cluster.KubectlAnywhere({"delete", "crd", "hsmdevices.hsm.j5t.io", "hsmsecrets.hsm.j5t.io",
                           "hsmoperations.hsm.j5t.io"});
  cluster.Until({"health"}, 1, "kubectl get crd");
  CHECK(record("{.metadata.uid}") == uid);
  CHECK(scene.Delivers("changed"));  // nobody has taken it away

  cluster.ApplyCrds();
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary b");
  CHECK(record("{.metadata.uid}") == uid);
  CHECK(record(R"({.metadata.annotations.hsm\.j5t\.io/pool-uid})") == pool);
  CHECK(cluster.Hsm({"get", "app/db", "--key", "password", "--raw"}, "owner").out == "changed");
  cluster.Kubectl({"delete", "secret", "db"});  // as the cluster's garbage collector would have
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("changed"));
}

TEST_CASE("etcd is put back to before a promotion: nobody writes, and the way out is printed") {
  DeliveryScene scene({"a", "b"}, 2);
  KubeCluster& cluster = scene.cluster;
  cluster.api().Stop();
  cluster.api().KeepRecord();
  cluster.api().Start();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  REQUIRE(cluster.Hsm({"promote", "--to", "b", "--yes"}).code == 0);
  scene.Put("after");
  // What watches have seen last is far later than what is put back.
  cluster.api().AgeRecord(3000);
  scene.Apply("{hsmPath: app/db}", "forgotten");
  CHECK(scene.Delivers("after", "forgotten"));
  const PrimaryWatch watch(cluster);
  cluster.api().Stop();
  cluster.api().PutRecordBack();
  cluster.api().Start();
  const Ended health = cluster.Until({"health"}, 3, "EpochRegressed");
  const std::vector<std::string> printed = NextOf(health.out);
  const std::string condition =
      cluster.Kubectl({"get", "hsmdevice", "payments", "-o",
                       R"(jsonpath={.status.conditions[?(@.type=="EpochRegressed")].status})"});
  CHECK(condition == "True");
  CHECK(
      cluster.HsmWith("x", {"--timeout", "3s", "put", "app/db", "--stdin-key", "password"}).code !=
      0);
  CHECK(cluster.PrimaryPage("a") == 503);
  CHECK(cluster.BecomesPage("b", 503, ""));  // its grant of before may run for a moment yet

  const Ended out = cluster.Hsm(printed);
  CHECK_MESSAGE(out.code == 0, out.out, out.err);
  cluster.Until({"health"}, 0, "payments: healthy; Primary b");
  CHECK(cluster.Hsm({"get", "app/db", "--key", "password", "--raw"}, "owner").out == "after");
  scene.Put("later");
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("later"));
  CHECK(watch.Looks("a") == 0);
  CHECK(watch.Two() == "");
}

TEST_CASE("the Primary's agent is killed under load: every acknowledged put is there afterwards") {
  DeliveryScene scene({"a", "b", "c"}, 2);
  KubeCluster& cluster = scene.cluster;
  scene.Apply("{hsmPath: app/db}");
  CHECK(scene.Delivers("hunter2"));
  const PrimaryWatch watch(cluster);
  PutLoad load(cluster);
  REQUIRE(load.Acknowledges(5));
  cluster.Agent("a").Signal(SIGKILL);
  const Ended history = cluster.Until({"history"}, 0, "Failover");
  CHECK_MESSAGE(Holds(history.out, "Succeeded"), history.out);
  CHECK(load.Acknowledges(5));
  CHECK(load.Wrong() == "");
  CHECK(Holds(cluster.Kubectl({"get", "events", "--field-selector", "reason=HSMFailover"}),
              "Failover from a to"));
  scene.Put("changed");
  CHECK(scene.Delivers("changed"));
  CHECK(watch.Two() == "");
}

}  // namespace hsmops::test
