// What is to be so when a Secret is removed is asked at the last moment: what a watch has not told
// yet counts.
#include <doctest/doctest.h>

#include <csignal>

#include "test/kube/delivery_scene.h"

namespace hsmops::test {
namespace {

// The leader has been told that app/db is deleted, and stands before the removal of its Secret;
// everything else goes by the other manager.
struct BeforeRemoval {
  BeforeRemoval() : scene({"a", "b"}, 2), leader(scene.cluster.Leader()) {
    scene.Apply("{deletionPolicy: Delete, hsmPath: app/db}");
    REQUIRE(scene.Delivers("hunter2"));
    REQUIRE(scene.Becomes("hsmsecret", "{.status.syncStatus}", "InSync"));
    uid = Uid();
    scene.cluster.AskOnly({leader == 1 ? 2 : 1});
    scene.cluster.Arm(leader, "deliver.remove");
    const Ended gone = scene.cluster.Hsm({"delete", "app/db", "--yes"}, "owner");
    REQUIRE_MESSAGE(gone.code == 0, gone.out, gone.err);
    scene.cluster.UntilStopped(leader);
  }

  std::string Uid() { return scene.Field("secret", "{.metadata.uid}"); }
  void GoOn() { scene.cluster.Manager(leader).Signal(SIGCONT); }

  DeliveryScene scene;
  const int leader;
  std::string uid;
};

}  // namespace

TEST_CASE("a secret that is put again before its Secret is removed: the Secret stays") {
  BeforeRemoval removal;
  removal.scene.Put("again");
  REQUIRE(removal.scene.Delivers("hunter2"));  // nobody has seen to it yet
  removal.GoOn();
  CHECK(removal.scene.Delivers("again"));
  CHECK(removal.Uid() == removal.uid);
}

TEST_CASE("an HSMSecret that is to retain it before its Secret is removed: the Secret stays") {
  BeforeRemoval removal;
  removal.scene.Apply("{deletionPolicy: Retain, hsmPath: app/db}");
  const std::string generation = removal.scene.Field("hsmsecret", "{.metadata.generation}");
  removal.GoOn();
  CHECK(removal.scene.Becomes("hsmsecret", "{.status.observedGeneration}", generation));
  CHECK(removal.Uid() == removal.uid);
  CHECK(removal.scene.Delivers("hunter2"));
}

}  // namespace hsmops::test
