// The manager that leads dies in the middle of what it does; the next one ends it in a true state.
#include <doctest/doctest.h>

#include <thread>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {
namespace {

// Two managers, of which the leader is killed at `place` while `asked` is under way; it comes back
// afterwards. What the asking ended with.
Ended KillLeader(KubeCluster& cluster, const std::string& place,
                 const std::vector<std::string>& asked) {
  const int leader = cluster.Leader();
  cluster.Arm(leader, place);
  Ended ended;
  {
    const std::jthread asks([&] { ended = cluster.Hsm(asked); });
    cluster.KillStopped(leader);
  }
  cluster.StartManager(leader);
  return ended;
}

void CheckValue(KubeCluster& cluster, const std::string& value) {
  const Ended got = cluster.Hsm({"get", "app", "--key", "k", "--raw"}, "owner");
  CHECK_MESSAGE(got.out == value, got.err);
}

}  // namespace

TEST_CASE("the leader dies at any step of a promotion: the next one ends it") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  REQUIRE(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  std::string target = "b";
  for (const char* const place : {"HSMOperation", "quiesce", "freeze", "after-fence-point"}) {
    CAPTURE(place);
    const Ended promoted = KillLeader(cluster, place, {"promote", "--to", target, "--yes"});
    // It says what became of it, and that is so.
    const std::string other = target == "a" ? "b" : "a";
    const bool done = promoted.code == 0;
    CHECK_MESSAGE((done || promoted.code == 1 || promoted.code == 5), promoted.out, promoted.err);
    cluster.Until({"health"}, 0, "payments: healthy; Primary " + (done ? target : other));
    CheckValue(cluster, "v");
    if (done) target = other;
  }
  CHECK(cluster.Kubectl({"get", "hsmoperations", "-o", "jsonpath={.items[*].status.phase}"})
            .find("Running") == std::string::npos);
}

TEST_CASE("the leader dies at any step of a delivery: the next one delivers") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  REQUIRE(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  for (const std::string place : {"deliver.write", "deliver.written", "deliver.status"}) {
    CAPTURE(place);
    const std::string name = "s-" + place.substr(8);
    const int leader = cluster.Leader();
    cluster.Arm(leader, place);
    cluster.Apply(
        "{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMSecret, metadata: {namespace: "
        "hsm-system, name: " +
        name + "}, spec: {hsmPath: app}}");
    cluster.KillStopped(leader);
    cluster.Kubectl({"wait", "--for=jsonpath={.status.syncStatus}=InSync", "--timeout=40s",
                     "hsmsecret/" + name});
    CHECK(cluster.Kubectl({"get", "secret", name, "-o", "jsonpath={.data.k}"}) == "dg==");
    cluster.StartManager(leader);
  }
}

TEST_CASE("the leader dies in the middle of a reinit: the member is whole in the end") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  REQUIRE(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  for (const char* const place : {"before-wipe", "after-wipe", "apply"}) {
    CAPTURE(place);
    const Ended done = KillLeader(cluster, place, {"reinit", "payments", "--node", "b", "--yes"});
    CHECK_MESSAGE((done.code == 0 || done.code == 1), done.out, done.err);
    if (done.code != 0) {
      const Ended again = cluster.Hsm({"reinit", "payments", "--node", "b", "--yes"});
      CHECK_MESSAGE(again.code == 0, again.out, again.err);
    }
    cluster.Until({"health"}, 0, "payments: healthy; Primary a");
    CHECK(cluster.Hsm({"diff", "a", "b"}, "viewer").code == 0);
    CheckValue(cluster, "v");
  }
}

}  // namespace hsmops::test
