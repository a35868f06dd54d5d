// The manager that leads dies in the middle of what it does; the next one ends it in a true state.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <optional>
#include <thread>

#include "test/kube/crash_sweep.h"
#include "test/kube/delivery_scene.h"
#include "test/kube/primary_watch.h"

namespace hsmops::test {
namespace {

// Passed by what goes on beside an operation as well: grants are renewed, looks are written down.
constexpr int kMostOfAlways = 10;
constexpr int kMostOfOne = 64;

// Secrets that are written one after the other, and all have to be there.
class Kept {
 public:
  explicit Kept(KubeCluster& cluster) : cluster_(cluster) {}

  void PutOne() {
    const std::string number = std::to_string(count_);
    const Ended put = cluster_.HsmWith(number, {"put", "app/" + number, "--stdin-key", "k"});
    REQUIRE_MESSAGE(put.code == 0, put.out, put.err);
    ++count_;
  }
  void CheckLast() { Check(count_ - 1); }
  void CheckAll() {
    for (int i = 0; i < count_; ++i) Check(i);
  }

 private:
  void Check(int number) {
    const std::string value = std::to_string(number);
    const Ended got = cluster_.Hsm({"get", "app/" + value, "--key", "k", "--raw"}, "owner");
    CHECK_MESSAGE(got.out == value, got.err);
  }

  KubeCluster& cluster_;
  int count_ = 0;
};

// Two members and two managers, and what is true of them whatever dies.
struct CrashScene {
  CrashScene() : cluster({"a", "b"}, 2), kept(cluster) {
    cluster.ApplyDevice();
    cluster.Until({"health"}, 0, "payments: healthy; Primary a");
    watch.emplace(cluster);
    kept.PutOne();
  }

  void CheckOperations() {
    const std::string phases =
        cluster.Kubectl({"get", "hsmoperations", "-o", "jsonpath={.items[*].status.phase}"});
    CHECK_MESSAGE(phases.find("Running") == std::string::npos, phases);
    CHECK_MESSAGE(phases.find("Pending") == std::string::npos, phases);
  }
  void CheckAfter(const std::string& primary) {
    cluster.Until({"health"}, 0, "payments: healthy; Primary " + primary);
    CheckOperations();
    kept.CheckLast();
    kept.PutOne();
  }
  void CheckInTheEnd() {
    kept.CheckAll();
    CHECK(cluster.Hsm({"diff", "a", "b"}, "viewer").code == 0);
    CHECK(watch->Two() == "");
  }

  KubeCluster cluster;
  Kept kept;
  std::optional<PrimaryWatch> watch;
};

void Sweep(CrashSweep& sweep, const std::vector<std::string>& places) {
  for (const std::string& place : places) {
    const bool always = place == "open-gate" || place == "after-swap";
    sweep.At(place, always ? kMostOfAlways : kMostOfOne);
    CHECK_MESSAGE(sweep.points().at(place) > 0, place, " is a place that nobody comes to");
  }
  MESSAGE(sweep.Shown());
}

// An HSMSecret with deletionPolicy Delete, and what comes of it.
struct Delivery {
  DeliveryScene scene{{"a", "b"}, 2};
  std::string name;
  std::string value;  // of the password; empty: no Secret

  // Another secret is asked for, or one that there is not; the leader says when it has seen to it.
  Ended Ask(const std::string& its, const std::string& path, const std::string& content) {
    name = its;
    value = content;
    scene.Apply("{deletionPolicy: Delete, hsmPath: " + path + "}", name);
    const std::string generation = scene.Field("hsmsecret", "{.metadata.generation}", name);
    const bool seen = scene.Becomes("hsmsecret", "{.status.observedGeneration}", generation, name);
    return {.code = seen ? 0 : 1, .signal = 0, .timed_out = !seen, .out = {}, .err = {}};
  }
  void Check(const Ended& asked) {
    CHECK(asked.code == 0);
    CHECK(scene.Delivers(value, name));
    CHECK(scene.Becomes("hsmsecret", "{.status.syncStatus}", value.empty() ? "Error" : "InSync",
                        name));
  }
};

}  // namespace

TEST_CASE("the leader dies after any call or write of a promotion: the next one ends it") {
  CrashScene scene;
  std::string primary = "a";
  std::string target;
  CrashSweep sweep(
      scene.cluster,
      [&] {
        target = primary == "a" ? "b" : "a";
        return scene.cluster.Hsm({"promote", "--to", target, "--yes"});
      },
      [&](const Ended& promoted) {
        // It says what became of it, and that is so.
        const bool done = promoted.code == 0;
        CHECK_MESSAGE((done || promoted.code == 1 || promoted.code == 5), promoted.code,
                      promoted.out, promoted.err);
        if (done) primary = target;
        scene.CheckAfter(primary);
      });
  Sweep(sweep, {"quiesce", "fence", "freeze", "HSMOperation", "HSMDevice", "Event", "open-gate",
                "after-swap"});
  scene.CheckInTheEnd();
}

TEST_CASE("the leader dies after any call or write of a reinit: the member is whole in the end") {
  CrashScene scene;
  const std::vector<std::string> reinit{"reinit", "payments", "--node", "b", "--yes"};
  CrashSweep sweep(
      scene.cluster, [&] { return scene.cluster.Hsm(reinit); },
      [&](const Ended& ended) {
        CHECK_MESSAGE((ended.code == 0 || ended.code == 1), ended.code, ended.out, ended.err);
        if (ended.code != 0) {
          const Ended again = scene.cluster.Hsm(reinit);
          CHECK_MESSAGE(again.code == 0, again.out, again.err);
        }
        scene.CheckAfter("a");
        CHECK(scene.cluster.Hsm({"diff", "a", "b"}, "viewer").code == 0);
      });
  Sweep(sweep, {"prepare", "before-wipe", "initialize", "apply", "HSMOperation", "open-gate",
                "after-swap"});
  scene.CheckInTheEnd();
}

TEST_CASE("the leader dies before or after any write of a delivery: the next one delivers") {
  Delivery delivery;
  REQUIRE(delivery.scene.cluster.HsmWith("other", {"put", "app/other", "--stdin-key", "password"})
              .code == 0);
  const PrimaryWatch watch(delivery.scene.cluster);
  const CrashSweep::Checks checks = [&](const Ended& asked) { delivery.Check(asked); };
  const std::vector<std::string> writes{"deliver.write", "deliver.written", "deliver.status",
                                        "HSMSecret"};
  int made = 0;
  CrashSweep makes(
      delivery.scene.cluster,
      [&] { return delivery.Ask(fmt::format("db-{}", ++made), "app/db", "hunter2"); }, checks);
  Sweep(makes, writes);
  CrashSweep changes(
      delivery.scene.cluster,
      [&] {
        const bool other = delivery.value == "other";
        return delivery.Ask("db", other ? "app/db" : "app/other", other ? "hunter2" : "other");
      },
      checks);
  Sweep(changes, writes);
  CrashSweep removes(
      delivery.scene.cluster, [&] { return delivery.Ask("db", "app/none", ""); },
      [&](const Ended& asked) {
        checks(asked);
        checks(delivery.Ask("db", "app/db", "hunter2"));
      });
  Sweep(removes, {"deliver.remove", "deliver.status", "HSMSecret"});
  CHECK(watch.Two() == "");
}

}  // namespace hsmops::test
