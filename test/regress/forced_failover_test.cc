// Found by review: what a person gives up is what nobody reachable holds, and nothing more; and a
// promotion that is begun can be finished.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

const std::vector<std::string> kForced{"failover", "--to", "b", "--accept-loss", "--yes"};

}  // namespace

TEST_CASE("a forced failover takes along what any reachable member holds") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.Put("gone", "deleted later");
  scene.Gone({"b"});
  scene.Put("x", "acknowledged");  // on a and c
  scene.Put("y", "acknowledged");
  scene.Must({"delete", "gone", "--yes"});
  scene.Gone({"c"});
  scene.Put("z", "on a alone");
  scene.Back({"b", "c"});
  scene.Gone({"a"});
  HSM_CHECK_EXIT(scene.Hsm({"failover"}), 5);
  scene.Must(kForced);
  CHECK(scene.Value("x") == "acknowledged");
  CHECK(scene.Value("y") == "acknowledged");
  CHECK(scene.Value("gone") == "exit 4");
  CHECK(scene.Hsm({"sync"}).code == 7);  // a is away
  CHECK(scene.Value("x") == "acknowledged");
}

TEST_CASE("a version that only a lost object of the old Primary had does not block a failover") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "old");
  scene.Gone({"b"});
  scene.Put("x", "on a alone");
  scene.Back({"b"});
  LoseNewestObject(scene.token("a"));

  const Ended refused = scene.Hsm({"failover", "--to", "b"});
  CHECK_MESSAGE((refused.code == 5 || refused.code == 1), refused.out, refused.err);
  CHECK(!Says(refused.err, "fence-point"));
  const Ended forced = scene.Hsm(kForced);
  HSM_CHECK_EXIT(forced, 0);
  CHECK(Says(forced.out, "lost unknown"));
  CHECK(scene.Value("x") == "old");
  HSM_CHECK_EXIT(scene.TryPut("x", "again"), 0);
}

}  // namespace hsmops::test
