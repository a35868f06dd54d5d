// Found by review: an epoch that is over stays over, whatever an older record says; and one begins
// only when it can also be finished without loss.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// Epoch 2 has b as its Primary and x = "of epoch 2"; the host of a, Primary of epoch 1, was down
// and knows of neither, and the Lease file is that of epoch 1 again.
struct OlderRecord : RegressScene {
  OlderRecord() : RegressScene({"a", "b", "c"}) {
    const std::string folder = cluster().folder();
    Put("x", "of epoch 1");
    for (const char* part : {"/leases", "/.members/default.local/a"})
      ReplaceFolder(folder + part, folder + "/../epoch-1" + part);
    Gone({"a"});
    Must({"failover", "--to", "b"});
    Put("x", "of epoch 2");
    Back({"a"});
    for (const char* part : {"/leases", "/.members/default.local/a"})
      ReplaceFolder(folder + "/../epoch-1" + part, folder + part);
  }
};

bool SaysHowOut(const Ended& ended) {
  const std::string said = ended.out + ended.err;
  return Says(said, "EpochRegressed") && Says(said, "failover") && Says(said, "--accept-loss");
}

}  // namespace

TEST_CASE("with an older Lease put back, get serves nothing of the old epoch unmarked") {
  OlderRecord scene;
  for (const auto& words :
       {std::vector<std::string>{"get", "x", "--reveal"}, {"get", "x", "--key", "k", "--raw"}}) {
    const Ended get = scene.Hsm(words);
    CHECK_MESSAGE(SaysHowOut(get), get.out, get.err);
    CHECK((get.code != 0 || Says(get.err, "warning")));
  }
}

TEST_CASE(
    "with an older record put back and nobody in its sync set, get asks who saw a later epoch") {
  RegressScene scene({"a", "b"});
  const std::string folder = scene.cluster().folder();
  scene.Put("x", "old");
  scene.Gone({"b"});
  scene.Put("x", "of epoch 1");  // on a alone, so S is empty
  for (const char* part : {"/leases", "/status", "/.members/default.local/a"})
    ReplaceFolder(folder + part, folder + "/../epoch-1" + part);
  scene.Back({"b"});
  scene.Must({"sync"});
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b"});
  scene.Put("x", "of epoch 2");
  scene.Back({"a"});
  for (const char* part : {"/leases", "/status", "/.members/default.local/a"})
    ReplaceFolder(folder + "/../epoch-1" + part, folder + part);

  const Ended get = scene.Hsm({"get", "x", "--key", "k", "--raw"});
  CHECK_MESSAGE(SaysHowOut(get), get.out, get.err);
  CHECK_MESSAGE((get.code != 0 || Says(get.err, "warning")), get.out, get.err);
}

TEST_CASE("with an older Lease put back, nothing is acknowledged in the old epoch") {
  OlderRecord scene;
  // More than once: the first ones must not put the others out of the sync set.
  for (int round = 0; round < 3; ++round) {
    const Ended put = scene.TryPut("y", "of epoch 1 " + std::to_string(round));
    CHECK_MESSAGE(put.code != 0, put.out, put.err);
    CHECK_MESSAGE(SaysHowOut(put), put.out, put.err);
    const Ended sync = scene.Hsm({"sync"});
    CHECK_MESSAGE(sync.code != 0, sync.out, sync.err);
    CHECK_MESSAGE(SaysHowOut(sync), sync.out, sync.err);
  }
  const ClusterLook look = scene.Look({{"x", ""}, {"y", ""}});
  for (const char* node : {"b", "c"}) {
    CHECK(look.members.at(node).values.at("x") == "of epoch 2");
    CHECK(look.members.at(node).values.at("y") == "absent");
  }
}

TEST_CASE("with an older Lease put back, the way out that is named works") {
  OlderRecord scene;
  scene.Hsm({"get", "x"});
  scene.TryPut("y", "of epoch 1");
  scene.Must({"failover", "--to", "b", "--accept-loss", "--yes"});
  CHECK(scene.Value("x") == "of epoch 2");
  scene.Put("x", "of epoch 3");
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "of epoch 3"}};
  const ClusterLook look = scene.Look(values);
  CHECK(look.holder == "b");
  CHECK(look.epoch > 2);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("two epochs of one number are told apart by whoever knows the other") {
  RegressScene scene({"a", "b", "c"});
  const std::string folder = scene.cluster().folder();
  const auto copy = [&](const std::string& from, const std::string& to,
                        std::initializer_list<const char*> parts) {
    for (const char* part : parts) ReplaceFolder(folder + from + part, folder + to + part);
  };
  scene.Put("x", "of epoch 1");
  copy("", "/../epoch-1", {"/leases", "/status", "/.members/default.local/c"});
  scene.Gone({"c"});
  scene.Must({"promote", "--to", "b"});
  scene.Put("x", "of one epoch 2");
  // The record of epoch 1 again, and nobody there who was told of the other epoch 2.
  copy("", "/../one", {"/.members/default.local/a", "/.members/default.local/b"});
  for (const char* node : {"a", "b"})
    std::filesystem::remove_all(folder + "/.members/default.local/" + node);
  copy("/../epoch-1", "", {"/leases", "/status", "/.members/default.local/c"});
  scene.Gone({"a", "b"});
  scene.Back({"c"});
  scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
  scene.Put("x", "of the other epoch 2");
  copy("/../one", "", {"/.members/default.local/a", "/.members/default.local/b"});
  scene.Back({"a", "b"});

  const Ended put = scene.TryPut("y", "with two histories");
  HSM_CHECK_EXIT(put, 5);
  CHECK_MESSAGE(SaysHowOut(put), put.out, put.err);
  const Ended health = scene.Hsm({"health"});
  CHECK_MESSAGE(SaysHowOut(health), health.out, health.err);
  scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
  scene.Must({"sync"});
  HSM_CHECK_EXIT(scene.TryPut("y", "with one"), 0);
}

TEST_CASE("a resumed promotion does not seat a member outside the sync set") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "acknowledged");
  scene.plan("b").Set(kTakesNothing);
  scene.plan("c").Set(kTakesNothing);
  HSM_REQUIRE_EXIT(scene.TryPutAll({{"x", "never"}, {"ghost", "never"}}), 6);
  scene.NoFaults();
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b"});
  REQUIRE(scene.Value("x") == "acknowledged");
  scene.Back({"a"});  // with what nobody acknowledged, and not synced
  scene.plan("c").Set(kTakesNothing);
  HSM_REQUIRE_EXIT(scene.Hsm({"promote", "--to", "c"}), 6);
  scene.NoFaults();

  const Ended resumed = scene.Hsm({"promote", "--to", "a"});
  CHECK_MESSAGE((resumed.code == 5 || resumed.code == 0), resumed.err);
  if (resumed.code != 0) scene.Must({"promote", "--to", "c"});
  CHECK(scene.Value("x") == "acknowledged");
  CHECK(scene.Value("ghost") == "exit 4");
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "acknowledged"}, {"ghost", "absent"}};
  const ClusterLook look = scene.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("a failover that cannot have its quorum is refused before the fencing point") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "kept");
  scene.Gone({"a", "c"});
  const Ended refused = scene.Hsm({"failover"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(!Says(refused.err, "fence-point"));
  scene.Back({"a", "c"});
  const Ended put = scene.TryPut("x", "kept after all");
  HSM_CHECK_EXIT(put, 0);
  const std::map<std::string, std::string> values{{"x", "kept after all"}};
  const ClusterLook look = scene.Look(values);
  CHECK(look.holder == "a");
  CHECK(look.epoch == 1);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

}  // namespace hsmops::test
