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

TEST_CASE("what the target has damaged and the lost Primary alone has whole is said to be lost") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "kept");
  scene.Put("s", "precious");
  LoseNewestObject(scene.token("b"));
  scene.Gone({"a"});
  std::vector<std::string> dry = kForced;
  dry.emplace_back("--dry-run");
  const Ended foreseen = scene.Hsm(dry);
  HSM_CHECK_EXIT(foreseen, 0);
  CHECK_MESSAGE(Says(foreseen.out, "would lose unknown: 1 secrets are damaged on b"), foreseen.out);
  const Ended forced = scene.Hsm(kForced);
  HSM_CHECK_EXIT(forced, 0);
  CHECK_MESSAGE(Says(forced.out, "lost unknown: 1 secrets are damaged on b"), forced.out);
}

TEST_CASE("what everybody of the term has damaged is not lost by a forced failover") {
  RegressScene scene({"a", "b"});
  scene.Put("s", "precious");
  LoseNewestObject(scene.token("a"));
  LoseNewestObject(scene.token("b"));
  const Ended forced = scene.Hsm(kForced);
  HSM_CHECK_EXIT(forced, 0);
  CHECK_MESSAGE(Says(forced.out, "lost none"), forced.out);
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

TEST_CASE(
    "values of an epoch that is over are set aside when the member that has them is forced back") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "old");
  scene.LeaveOnA("x", "on a alone");
  const Ended forced = scene.Hsm({"failover", "--to", "a", "--accept-loss", "--yes"});
  HSM_CHECK_EXIT(forced, 0);
  CHECK_MESSAGE(Says(forced.out, "1 values of a are in quarantine"), forced.out);
  CHECK(scene.Value("x") == "old");
  CHECK(Says(scene.Hsm({"divergence", "list"}).out, "value"));
}

}  // namespace hsmops::test
