// A wipe that hangs with its agent, and a Primary that dies meanwhile.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <future>

#include "test/kube/delivery_scene.h"
#include "test/support/text.h"

namespace hsmops::test {
namespace {

constexpr int kSecrets = 40;  // so that their wipe takes a while

// Once the agent of c is at the wipe it is stopped.
std::future<Ended> HoldWipe(DeliveryScene& scene) {
  KubeCluster& cluster = scene.cluster;
  auto wipe = std::async(std::launch::async, [&cluster] {
    return cluster.Hsm({"reinit", "payments", "--node", "c", "--yes", "--timeout", "2m"});
  });
  bool wipes = false;
  for (int i = 0; i < 200 && !wipes; ++i)
    wipes = Holds(cluster.Kubectl({"get", "hsmop", "-o", "jsonpath={..steps[*].name}"}), "wipe");
  REQUIRE(wipes);
  cluster.Agent("c").Signal(SIGSTOP);
  return wipe;
}

}  // namespace

TEST_CASE("a wipe that hangs holds up no failover, and is filled from the next Primary") {
  DeliveryScene scene({"a", "b", "c"}, 2);
  KubeCluster& cluster = scene.cluster;
  for (int i = 0; i < kSecrets; ++i) {
    const Ended put =
        cluster.HsmWith("value", {"put", fmt::format("app/more-{}", i), "--stdin-key", "password"});
    REQUIRE_MESSAGE(put.code == 0, put.out, put.err);
  }
  auto wipe = HoldWipe(scene);
  cluster.Until({"health"}, 0, "Reinitialising");
  const Ended again = cluster.Hsm({"reinit", "payments", "--node", "c", "--yes"});
  CHECK_MESSAGE((again.code == 5 && Holds(again.err, "is asked to wipe c already")), again.err);
  const Ended check = cluster.Hsm({"check", "--for", "promote"}, "viewer");
  CHECK_MESSAGE(Holds(check.out, "wipes it and fills it again"), check.out, check.err);
  scene.Put("second");
  const Ended planned = cluster.Hsm({"promote", "--to", "b", "--yes", "--timeout", "3s"});
  CHECK_MESSAGE((planned.code == 6 && Holds(planned.out + planned.err, "it waits for payments-")),
                planned.code, planned.out, planned.err);

  cluster.Agent("a").Signal(SIGKILL);
  cluster.Until({"status"}, 0, "b");
  CHECK(cluster.BecomesPage("b", 200, "it takes writes"));
  CHECK(wipe.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  scene.Put("third");

  cluster.Agent("c").Signal(SIGCONT);
  const Ended ended = wipe.get();
  CHECK_MESSAGE((ended.code == 0 && Holds(ended.out + ended.err, "c is a member again")),
                ended.code, ended.out, ended.err);
  CHECK(cluster.Hsm({"diff", "b", "c"}, "viewer").code == 0);
}

}  // namespace hsmops::test
