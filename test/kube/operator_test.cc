// What a person does with devices of a real API server: agents and managers are real processes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "test/kube/kube_cluster.h"
#include "test/support/text.h"

namespace hsmops::test {
TEST_CASE("a device that is applied is enrolled, promoted by hand, and fails over by itself") {
  KubeCluster cluster({"a", "b", "c"}, 2);
  const Ended none = cluster.Hsm({"health"});
  CHECK(none.code == 4);
  CHECK_MESSAGE(Holds(none.err, "no HSMDevice in namespace hsm-system"), none.err);
  cluster.Agent("c").Signal(SIGKILL);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 3, "NotEnrolled: waiting for c");
  cluster.StartAgent("c");
  cluster.Until({"health"}, 0, "payments: healthy; Primary a, 3 of 3 members up");
  CHECK(Holds(cluster.Hsm({"status"}).out, "as of "));

  const Ended promoted = cluster.Hsm({"promote", "--to", "b", "--yes"});
  CHECK_MESSAGE(promoted.code == 0, promoted.out, promoted.err);
  CHECK_MESSAGE(Holds(promoted.out, "b is the Primary of epoch 2"), promoted.out, promoted.err);
  CHECK(Holds(cluster.Kubectl({"get", "hsmdevice", "-o", "wide"}), "payments"));
  CHECK(Holds(cluster.Kubectl({"get", "hsmoperations"}), "Promote"));

  cluster.Agent("b").Signal(SIGKILL);
  const Ended history = cluster.Until({"history"}, 0, "Failover");
  CHECK_MESSAGE(Holds(history.out, "Succeeded"), history.out);
  cluster.Until({"health"}, 0, "2 of 3 members up");
  CHECK(Holds(cluster.Kubectl({"get", "events", "--field-selector", "reason=HSMFailover"}),
              "Failover from b to"));
  const std::string described = cluster.Kubectl({"describe", "hsmdevice", "payments"});
  CHECK_MESSAGE(Holds(described, "Failover Count"), described);
}

TEST_CASE("roles: each may what it is for, by asking and by trying") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy");
  const auto may = [&](const std::string& user, const std::string& verb, const std::string& what) {
    const std::size_t slash = what.find('/');
    std::vector<std::string> ask{"auth", "can-i", verb, what.substr(0, slash), "--as", user};
    if (slash != std::string::npos) ask.push_back("--subresource=" + what.substr(slash + 1));
    return Holds(cluster.Kubectl(ask, false), "yes");
  };
  struct Right {
    std::string verb;
    std::string resource;
    std::vector<std::string> users;
  };
  const std::vector<Right> rights = {
      {"list", "hsmdevices.hsm.j5t.io", {"manager", "viewer", "operator", "owner"}},
      {"create", "hsmdevices.hsm.j5t.io", {"owner"}},
      {"create", "hsmoperations.hsm.j5t.io", {"manager", "operator", "owner"}},
      {"update", "hsmoperations.hsm.j5t.io", {"operator", "owner"}},
      {"list", "events", {"viewer", "operator", "owner"}},
      {"update", "hsmdevices.hsm.j5t.io/status", {"manager"}},
      {"update", "leases.coordination.k8s.io", {"manager"}},
      {"list", "mirroredsecrets.live.hsm.j5t.io", {"viewer", "operator", "owner"}},
      {"get", "mirroredsecrets.live.hsm.j5t.io/value", {"owner"}},
      {"update", "mirroredsecrets.live.hsm.j5t.io/value", {"owner"}},
      {"patch", "secrets", {"manager"}}};
  for (const Right& right : rights) {
    for (const std::string user : {"manager", "viewer", "operator", "owner", "alice"}) {
      CAPTURE(user);
      CAPTURE(right.verb);
      CAPTURE(right.resource);
      const bool expected = std::ranges::count(right.users, user) > 0;
      CHECK(may(user, right.verb, right.resource) == expected);
    }
  }
  CHECK(cluster.Hsm({"health"}, "viewer").code == 0);
  const Ended viewer = cluster.Hsm({"sync"}, "viewer");
  CHECK(viewer.code == 1);
  CHECK_MESSAGE(
      Holds(viewer.err, "kubectl auth can-i create hsmoperations.hsm.j5t.io -n hsm-system"),
      viewer.err);
  CHECK(cluster.Hsm({"sync"}, "operator").code == 0);
  const Ended stranger = cluster.Hsm({"health"}, "alice");
  CHECK(stranger.code == 1);
  CHECK_MESSAGE(Holds(stranger.err, "kubectl auth can-i list hsmdevices.hsm.j5t.io"), stranger.err);
  const Ended bob = cluster.Hsm({"health", "--as", "bob", "--as-group", "ops"});
  CHECK_MESSAGE(Holds(bob.err, " -n hsm-system --as bob --as-group ops shows it"), bob.err);
}

TEST_CASE("the manager that leads is killed: another leads, and what was asked for is done") {
  KubeCluster cluster({"a", "b"}, 3);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  const auto leader = [&] {
    return cluster.Kubectl(
        {"get", "lease", "hsm-manager", "-o", "jsonpath={.spec.holderIdentity}"});
  };
  const std::string first = leader();
  const std::string mark = "manager-";
  REQUIRE_MESSAGE(first.starts_with(mark), first);
  cluster.Manager(first[mark.size()] - '0').Signal(SIGKILL);
  const Ended promoted = cluster.Hsm({"promote", "--to", "b", "--yes"});
  CHECK_MESSAGE(promoted.code == 0, promoted.out, promoted.err);
  CHECK(leader() != first);
  cluster.Until({"health"}, 0, "payments: healthy; Primary b");
}

TEST_CASE(
    "the API server is away for longer than a grant: nothing is promoted, and all goes on after") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  cluster.api().Stop();
  REQUIRE(cluster.BecomesPage("a", 503, "no grant"));
  const Ended away = cluster.Hsm({"--request-timeout", "2s", "health"});
  CHECK(away.code == 1);
  CHECK_MESSAGE(away.err.starts_with("error: "), away.err);
  cluster.api().Start();
  REQUIRE(cluster.BecomesPage("a", 200, "it takes writes"));
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  CHECK(cluster.Hsm({"history"}).err.find("no promotion yet") != std::string::npos);
}

TEST_CASE("agents are found by EndpointSlices, and stay known when these are gone") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.Apply(cluster.SliceOf("payments"));
  cluster.Apply(R"(apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata: {name: payments, namespace: hsm-system}
spec:
  deviceType: Generic
  mirroring: {policy: ReadOnly, primaryNode: a, targetNodes: [b], autoFailover: true}
)");
  cluster.Until({"health"}, 0, "payments: healthy; Primary a, 2 of 2 members up");
  CHECK(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  CHECK(cluster.Hsm({"get", "app", "--key", "k", "--raw"}, "owner").out == "v");
  cluster.Kubectl({"delete", "endpointslice", "payments"});
  CHECK(cluster.HsmWith("w", {"put", "app", "--stdin-key", "k"}).code == 0);
  const Ended health = cluster.Hsm({"health", "--live"});
  CHECK_MESSAGE(health.code == 0, health.out, health.err);
}

TEST_CASE("a finished HSMOperation goes when its time is over, and stays till then") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  const auto ask = [&](const std::string& name, int ttl) {
    cluster.Apply(fmt::format(
        "{{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMOperation, metadata: {{name: {}, namespace: "
        "hsm-system}}, spec: {{deviceRef: {{name: payments}}, type: Sync, ttlSecondsAfterFinished: "
        "{}}}}}",
        name, ttl));
  };
  ask("kept", 3600);
  ask("brief", 1);
  cluster.Until({"operation", "wait", "kept"}, 0, "");
  cluster.Until({"operation", "wait", "brief"}, 4, "");
  CHECK(Holds(cluster.Kubectl({"get", "hsmoperations"}), "kept"));
}

TEST_CASE("a status that nobody has written for minutes is critical, though a manager leads") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  cluster.Manager(1).Signal(SIGSTOP);  // its lease runs for some seconds
  cluster.Kubectl({"patch", "hsmdevice", "payments", "--subresource=status", "--type=json", "-p",
                   R"([{"op":"replace","path":"/status/devices/0/lastSeen","value":)"
                   R"("2026-01-02T03:04:05Z"},{"op":"replace","path":"/status/devices/1/lastSeen",)"
                   R"("value":"2026-01-02T03:04:05Z"}])"});
  const Ended health = cluster.Hsm({"health"});
  CHECK_MESSAGE((health.code == 3 && Holds(health.out, "StatusIsOld")), health.out, health.err);
  cluster.Manager(1).Signal(SIGCONT);
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
}

TEST_CASE("an HSMOperation of a device that there is not is cancelled where somebody wants that") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.Apply(
      "{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMOperation, metadata: {name: stray, namespace: "
      "hsm-system}, spec: {deviceRef: {name: nobody}, type: Sync}}");
  cluster.Until({"operation", "wait", "stray", "--timeout", "1s"}, 6,
                "it waits: there is no HSMDevice nobody in namespace hsm-system");
  CHECK(cluster.Hsm({"operation", "cancel", "stray"}).code == 0);
  cluster.Until({"operation", "wait", "stray"}, 1, "stray Cancelled: cancelled before it began");
}

TEST_CASE("an HSMOperation that nobody can carry out is told of by health") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  // The API server counts characters, and we bytes.
  std::string reason;
  for (int i = 0; i < 1000; ++i) reason += "\u00e9";
  cluster.Apply(
      "{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMOperation, metadata: {name: bad, namespace: "
      "hsm-system}, spec: {deviceRef: {name: payments}, type: Sync, reason: " +
      reason + "}}");
  cluster.Until({"health", "--fail-on", "degraded"}, 3, "OperationsUnreadable");
  cluster.Kubectl({"delete", "hsmoperation", "bad"});
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
}

}  // namespace hsmops::test
