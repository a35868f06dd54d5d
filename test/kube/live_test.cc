// The live API behind the aggregation layer of a real API server.
#include <doctest/doctest.h>

#include <csignal>

#include "test/kube/delivery_scene.h"
#include "test/support/text.h"

namespace hsmops::test {
TEST_CASE("secrets through the API server: written, listed, read, compared, deleted") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");

  const Ended put = cluster.HsmWith("hunter2", {"put", "app/db", "--stdin-key", "password"});
  CHECK_MESSAGE(put.code == 0, put.out, put.err);
  CHECK_MESSAGE(Holds(put.out, "app/db written, version 1."), put.out);
  const Ended list = cluster.Hsm({"list"}, "viewer");
  CHECK_MESSAGE(list.code == 0, list.out, list.err);
  CHECK_MESSAGE((Holds(list.out, "app/db") && Holds(list.out, "full")), list.out);
  CHECK(cluster.Hsm({"get", "app/db", "--key", "password", "--raw"}, "owner").out == "hunter2");
  const Ended hidden = cluster.Hsm({"get", "app/db"}, "owner");
  CHECK_MESSAGE(Holds(hidden.out, "password: (hidden), 7 bytes"), hidden.out, hidden.err);
  CHECK(cluster.Hsm({"get", "app/none"}, "owner").code == 4);

  const std::string table = cluster.Kubectl({"get", "mirroredsecrets"});
  CHECK_MESSAGE((Holds(table, "COVERAGE") && Holds(table, "payments:app:db")), table);
  const std::string object =
      cluster.Kubectl({"get", "mirroredsecret", "payments:app:db", "-o", "yaml"});
  CHECK_MESSAGE((Holds(object, "kind: MirroredSecret") && !Holds(object, "aHVudGVyMg")), object);
  const std::string raw = cluster.Kubectl({"get", "--raw",
                                           "/apis/live.hsm.j5t.io/v1alpha1/namespaces/hsm-system/"
                                           "mirroredsecrets/payments:app:db/value"});
  CHECK_MESSAGE(Holds(raw, "aHVudGVyMg=="), raw);
  const std::string healths = cluster.Kubectl({"get", "devicehealths"});
  CHECK_MESSAGE((Holds(healths, "payments") && Holds(healths, "Ready")), healths);
  CHECK(Holds(cluster.Kubectl({"api-resources", "--api-group=live.hsm.j5t.io"}), "MirroredSecret"));

  CHECK(cluster.Hsm({"diff", "a", "b"}, "viewer").code == 0);
  const Ended health = cluster.Hsm({"health", "--live"}, "viewer");
  CHECK_MESSAGE((health.code == 0 && Holds(health.out, "healthy")), health.out, health.err);
  for (const char* const purpose : {"promote", "failover", "write"}) {
    const Ended check = cluster.Hsm({"check", "--for", purpose}, "viewer");
    CHECK_MESSAGE((check.code == 0 && Holds(check.out, "yes: ")), check.out, check.err);
  }
  CHECK(cluster.Hsm({"rename-key", "app/db", "password", "pw"}, "owner").code == 0);
  const Ended stale =
      cluster.HsmWith("x", {"put", "app/db", "--stdin-key", "pw", "--expect", "1.1"});
  CHECK_MESSAGE(stale.code == 5, stale.out, stale.err);
  CHECK(cluster.Hsm({"delete", "app/db", "--yes"}, "owner").code == 0);
  CHECK(cluster.Hsm({"get", "app/db"}, "owner").code == 4);
  CHECK(cluster.Hsm({"delete", "app/db", "--yes"}, "owner").code == 4);
}

TEST_CASE("the live API: who may what, and who may speak for others") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy");
  CHECK(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  for (const char* const user : {"viewer", "operator", "alice"}) {
    CAPTURE(user);
    const Ended get = cluster.Hsm({"--device", "payments", "get", "app", "--reveal"}, user);
    CHECK(get.code == 1);
    const Ended put = cluster.HsmWith("w", {"put", "app", "--stdin-key", "k"}, user);
    CHECK(put.code == 1);
    CHECK(cluster.Hsm({"delete", "app", "--yes"}, user).code == 1);
    if (std::string(user) == "alice") continue;
    CHECK_MESSAGE(Holds(get.err,
                        "kubectl auth can-i get mirroredsecrets.live.hsm.j5t.io "
                        "--subresource=value -n hsm-system"),
                  get.err);
    CHECK(cluster.Hsm({"list"}, user).code == 0);
  }
  CHECK(cluster.Hsm({"get", "app", "--key", "k", "--raw"}, "owner").out == "v");
}

TEST_CASE("past the API server: nobody is let in but its front proxy, and that for whom it says") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy");
  CHECK(cluster.HsmWith("v", {"put", "app", "--stdin-key", "k"}).code == 0);
  const std::string list = "/apis/live.hsm.j5t.io/v1alpha1/namespaces/hsm-system/mirroredsecrets";
  const std::string value = list + "/payments:app/value";
  for (const std::string& identity : {std::string(), cluster.ManagerIdentity(1),
                                      cluster.api().ClientCertificate("admin", "system:masters"),
                                      cluster.api().ProxyCertificate("not-the-proxy")}) {
    CAPTURE(identity);
    const auto refused = cluster.AskManager(1, value, identity, {"X-Remote-User: owner"});
    CHECK(refused.curl != 0);
    CHECK(refused.status == "000");
  }
  const std::string proxy = cluster.api().ProxyCertificate("front-proxy-client");
  const auto ask = [&](const std::string& path, const std::vector<std::string>& headers,
                       const std::string& method = "GET") {
    return cluster.AskManager(1, path, proxy, headers, method).status;
  };
  CHECK(ask(value, {"X-Remote-User: owner"}) == "200");
  CHECK(ask(value, {}) == "401");
  CHECK(ask(value, {"X-Remote-User: alice"}) == "403");
  CHECK(ask(value, {"X-Remote-User: viewer"}) == "403");
  CHECK(ask(list, {"X-Remote-User: viewer"}) == "200");
  CHECK(ask(value, {"X-Remote-User: alice", "X-Remote-Group: system:masters"}) == "200");
  // One group whose name has a comma is no two groups.
  CHECK(ask(value, {"X-Remote-User: alice", "X-Remote-Group: x, system:masters"}) == "403");
  CHECK(ask(value, {"X-Remote-User: owner"}, "POST") == "405");
  CHECK(ask(list, {"X-Remote-User: owner"}, "DELETE") == "405");
  CHECK(ask(list + "?watch=true", {"X-Remote-User: owner"}) == "405");
  CHECK(ask("/apis/live.hsm.j5t.io/v2", {"X-Remote-User: owner"}) == "404");
  CHECK(ask("/v1/devices/hsm-system/payments/get", {"X-Remote-User: owner"}, "POST") == "404");
  CHECK(ask(list + "/payments:app%zz/value", {"X-Remote-User: owner"}) == "400");
  const std::string other = "/apis/live.hsm.j5t.io/v1alpha1/namespaces/default/mirroredsecrets";
  CHECK(ask(other, {"X-Remote-User: admin", "X-Remote-Group: system:masters"}) == "503");
}

TEST_CASE("what a returning Primary had alone is listed, exported and discarded") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  CHECK(cluster.HsmWith("one", {"put", "app", "--stdin-key", "k"}).code == 0);
  cluster.Agent("b").Signal(SIGKILL);
  cluster.Until({"health"}, 0, "1 of 2 members up");
  const Ended alone = cluster.HsmWith("two", {"put", "app", "--stdin-key", "k"});
  CHECK_MESSAGE(alone.code == 0, alone.out, alone.err);
  cluster.Agent("a").Signal(SIGKILL);
  cluster.StartAgent("b");
  const Ended forced = cluster.Hsm({"failover", "--to", "b", "--accept-loss", "--yes"});
  CHECK_MESSAGE(forced.code == 0, forced.out, forced.err);
  cluster.StartAgent("a");
  cluster.Until({"divergence", "list"}, 0, "app");
  const Ended list = cluster.Hsm({"divergence", "list"}, "viewer");
  CHECK_MESSAGE((list.code == 0 && Holds(list.out, "app") && !Holds(list.out, "two")), list.out);
  TempFolder folder;
  CHECK(cluster.Hsm({"divergence", "export", "app", "--to", folder / "f"}, "viewer").code == 1);
  const Ended exported =
      cluster.Hsm({"divergence", "export", "app", "--to", folder / "f"}, "owner");
  CHECK_MESSAGE(exported.code == 0, exported.out, exported.err);
  CHECK(Holds(ReadText(folder / "f"), "dHdv"));
  CHECK(cluster.Hsm({"get", "app", "--key", "k", "--raw"}, "owner").out == "one");
  const Ended discarded = cluster.Hsm({"divergence", "discard", "app", "--yes"}, "operator");
  CHECK_MESSAGE(discarded.code == 0, discarded.out, discarded.err);
  CHECK(Holds(cluster.Hsm({"divergence", "list"}, "viewer").err, "nothing is in quarantine"));
}

// Replicas read R by watches, and members are told by it before these tell.
TEST_CASE("right after a promotion no look finds an older record") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  for (int i = 0; i < 6; ++i) {
    const Ended promoted = cluster.Hsm({"promote", "--to", i % 2 == 0 ? "b" : "a"});
    CHECK_MESSAGE(promoted.code == 0, promoted.out, promoted.err);
    for (int look = 0; look < 4; ++look) {
      for (const std::vector<std::string>& words : {std::vector<std::string>{"health", "--live"},
                                                    {"check", "--for", "promote"},
                                                    {"check", "--for", "write"}}) {
        const Ended seen = cluster.Hsm(words);
        CHECK_MESSAGE(!Holds(seen.out + seen.err, "EpochRegressed"), seen.out, seen.err);
      }
    }
  }
}

TEST_CASE(
    "a device that is not enrolled, a manager that is gone, a mirror that hangs: lists go on") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health", "payments"}, 0, "payments: healthy; Primary a");
  CHECK(cluster.HsmWith("one", {"put", "app", "--stdin-key", "k"}).code == 0);
  cluster.Apply(R"(apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata: {name: later, namespace: hsm-system}
spec: {mirroring: {primaryNode: elsewhere, targetNodes: [elsewhere]}}
)");
  cluster.Until({"health", "later"}, 3, "labelled hsm.j5t.io/device: later has an endpoint");
  const Ended secrets = cluster.WithPlugin({"get", "mirroredsecrets"});
  CHECK_MESSAGE((secrets.code == 0 && Holds(secrets.out, "payments:app")), secrets.err);
  CHECK_MESSAGE(Holds(secrets.err, "Warning: later:"), secrets.err);
  const Ended healths = cluster.WithPlugin({"get", "devicehealths"});
  CHECK_MESSAGE((healths.code == 0 && Holds(healths.out, "payments")), healths.err);
  // Its endpoint stays, since nobody takes it out.
  cluster.Manager(3 - cluster.Leader()).Signal(SIGKILL);
  for (int i = 0; i < 10; ++i) {
    const Ended list = cluster.Hsm({"list", "--device", "payments"});
    CHECK_MESSAGE(list.code == 0, list.out, list.err);
    const Ended put =
        cluster.HsmWith("two", {"put", "app", "--device", "payments", "--stdin-key", "k"});
    CHECK_MESSAGE(put.code == 0, put.out, put.err);
  }
  cluster.Agent("b").Signal(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  const Ended hanging = cluster.Hsm({"list", "--device", "payments"});
  CHECK_MESSAGE((hanging.code == 0 && Holds(hanging.out, "unknown")), hanging.out, hanging.err);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(9));
  cluster.Agent("b").Signal(SIGCONT);
}

TEST_CASE("the live API: a manager that hangs is one request's time, and another is found") {
  KubeCluster cluster({"a", "b"}, 2);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy");
  REQUIRE(cluster.HsmWith("one", {"put", "app", "--stdin-key", "k"}).code == 0);
  cluster.Manager(3 - cluster.Leader()).Signal(SIGSTOP);
  int waited = 0;
  for (int i = 0; i < 6; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const Ended put = cluster.HsmWith(
        std::to_string(i), {"--request-timeout", "2s", "put", "app", "--stdin-key", "k"});
    // Where it was that one which was to write, whether it does so yet nobody knows.
    CHECK_MESSAGE((put.code == 0 || (put.code == 6 && Holds(put.err, "may hang"))), put.out,
                  put.err);
    const Ended get = cluster.Hsm(
        {"--request-timeout", "2s", "--timeout", "30s", "get", "app", "--key", "k", "--raw"},
        "owner");
    CHECK_MESSAGE((get.code == 0 && (put.code == 6 || get.out == std::to_string(i))), get.out,
                  get.err);
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(2)) ++waited;
  }
  CHECK(waited > 0);  // or nobody has asked that one
  const Ended brief = [&] {
    for (int i = 0; i < 20; ++i) {
      Ended list = cluster.Hsm({"--timeout", "1s", "list", "--device", "payments"});
      if (list.code != 0) return list;
    }
    return Ended{};
  }();
  CHECK_MESSAGE(Holds(brief.err, "may hang"), brief.out, brief.err);
}

TEST_CASE("the live API is down: list and get show what is on record, and say so") {
  DeliveryScene scene({"a", "b"}, 1);
  KubeCluster& cluster = scene.cluster;
  scene.Apply("{hsmPath: app/db}");
  REQUIRE(scene.Delivers("hunter2"));
  scene.Apply("{hsmPath: app/none}", "never");
  REQUIRE(scene.Becomes("hsmsecret", "{.status.syncStatus}", "Error", "never"));
  cluster.Manager(1).Signal(SIGKILL);
  const Ended list = cluster.Hsm({"list"}, "viewer");
  CHECK_MESSAGE((list.code == 7 && Holds(list.out, "app/db")), list.out, list.err);
  CHECK_MESSAGE(Holds(list.err, "kubectl get apiservice v1alpha1.live.hsm.j5t.io"), list.err);
  const Ended get = cluster.Hsm({"get", "app/db"}, "owner");
  CHECK_MESSAGE((get.code == 7 && Holds(get.out, "app/db  version ")), get.out, get.err);
  CHECK_MESSAGE(Holds(get.err, "as it is on record"), get.err);
  // No value is on record, and neither is what nobody delivers.
  CHECK(cluster.Hsm({"get", "app/db", "--reveal"}, "owner").code == 1);
  CHECK(cluster.Hsm({"get", "app"}, "owner").code == 1);
  CHECK(cluster.Hsm({"get", "app/none"}, "owner").code == 1);
  const Ended put = cluster.HsmWith("v", {"--timeout", "5s", "put", "app", "--stdin-key", "k"});
  CHECK_MESSAGE(put.code == 1, put.out, put.err);
}

}  // namespace hsmops::test
