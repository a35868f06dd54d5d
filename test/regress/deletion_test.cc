// Found by review: a member that never heard of a deletion must not let the value of another back
// in.
#include <doctest/doctest.h>

#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

void CheckDeleted(RegressScene& scene) {
  CHECK(scene.Value("x") == "exit 4");
  scene.Must({"sync"});
  CHECK(scene.Value("x") == "exit 4");
  CHECK(scene.Hsm({"divergence", "list", "-o", "name"}).out.empty());
}

}  // namespace

TEST_CASE("a target that was away while a name came and went knows that it went") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("y", "1");
  scene.Gone({"b"});
  scene.Put("x", "deleted");
  scene.Must({"delete", "x", "--yes"});
  scene.Back({"b"});
  scene.Must({"promote", "--to", "b"});
  scene.Gone({"b"});
  scene.Must({"failover"});
  CHECK(scene.Value("x") == "exit 4");
  scene.Back({"b"});
  CheckDeleted(scene);
}

TEST_CASE("a forced failover pulls no value of which a member that counts has the deletion") {
  for (const bool old_primary_answers : {false, true}) {
    CAPTURE(old_primary_answers);
    RegressScene scene({"a", "b", "c"});
    scene.Put("y", "1");
    scene.Put("x", "deleted");
    scene.Gone({"b"});
    scene.Must({"delete", "x", "--yes"});
    scene.Must({"reinit", "--node", "c", "--yes"});
    scene.Back({"b"});
    if (!old_primary_answers) scene.Gone({"a"});
    scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
    CHECK(scene.Value("x") == "exit 4");
    if (!old_primary_answers) scene.Back({"a"});
    CheckDeleted(scene);
  }
}

TEST_CASE("a deletion that nobody acknowledged undoes no value that somebody did") {
  RegressScene scene({"a", "b", "c"});
  scene.Gone({"b"});
  scene.Put("x", "acknowledged by a and c");
  scene.Gone({"c"});
  scene.Must({"delete", "x", "--yes"});  // on a alone
  scene.Gone({"a"});
  scene.Back({"c"});
  scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
  scene.Back({"a", "b"});
  scene.Must({"failover", "--to", "b", "--accept-loss", "--yes"});
  CHECK(scene.Value("x") == "acknowledged by a and c");
  scene.Must({"sync"});
  CHECK(scene.Value("x") == "acknowledged by a and c");
  CHECK(Says(scene.Hsm({"divergence", "list"}).out, "deletion"));
}

TEST_CASE("a sync that collects leaves everybody equal, also who was told of the deletion by it") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  scene.Gone({"b"});
  scene.Must({"delete", "x", "--yes"});
  scene.Back({"b"});
  const Ended sync = scene.Hsm({"sync"});
  HSM_REQUIRE_EXIT(sync, 0);
  CHECK_MESSAGE(Says(sync.out, "1 deleted secrets collected"), sync.out);
  const Ended healthy = scene.Hsm({"health", "--fail-on", "degraded"});
  HSM_CHECK_EXIT(healthy, 0);
  CHECK(Says(scene.Hsm({"sync"}).out, "copied 0, restored 0, quarantined 0;"));
}

TEST_CASE("a planned promotion after a missed deletion leaves the old Primary in the sync set") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Gone({"b"});
  scene.Must({"delete", "x", "--yes"});
  scene.Back({"b"});
  scene.Must({"promote", "--to", "b"});
  scene.Put("z", "on b and a");
  scene.Gone({"b"});
  scene.Must({"failover"});
  CHECK(scene.Value("z") == "on b and a");
}

TEST_CASE("a deletion goes to a member that never had the name, and is collected from all") {
  RegressScene scene({"a", "b"});
  scene.Gone({"b"});
  scene.Put("x", "deleted");
  scene.Must({"delete", "x", "--yes"});
  scene.Back({"b"});
  const Ended sync = scene.Hsm({"sync"});
  HSM_CHECK_EXIT(sync, 0);
  CHECK_MESSAGE(Says(sync.out, "1 deleted secrets collected"), sync.out);
  HSM_CHECK_EXIT(scene.Hsm({"diff", "a", "b"}), 0);
  CheckDeleted(scene);
}

TEST_CASE("a deletion that only the returned Primary has undoes nothing when it is forced back") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "acknowledged");
  for (const char* mirror : {"b", "c"})
    scene.plan(mirror).Set("call=1 mode=die-before function=C_CreateObject times=0");
  HSM_REQUIRE_EXIT(scene.Hsm({"delete", "x", "--yes"}), 6);
  scene.NoFaults();
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b"});
  REQUIRE(scene.Value("x") == "acknowledged");
  scene.Back({"a"});
  bool alone = false;
  SUBCASE("and the others answer") { alone = false; }
  SUBCASE("and it is alone") { alone = true; }
  if (alone) scene.Gone({"b", "c"});
  scene.Must({"failover", "--to", "a", "--accept-loss", "--yes"});
  CHECK(scene.Value("x") == "acknowledged");
  if (alone) scene.Back({"b", "c"});
  scene.Must({"sync"});
  CHECK(scene.Value("x") == "acknowledged");
  CHECK(Says(scene.Hsm({"divergence", "list"}).out, "deletion"));
}

TEST_CASE("a collection cut short on the Primary makes no divergence of an acknowledged deletion") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Put("other", "kept");
  scene.Delete("x");
  // The mirror has collected it, the Primary has not.
  scene.plan("a").Set("call=1 mode=die-before function=C_DestroyObject times=0");
  HSM_REQUIRE_EXIT(scene.Hsm({"sync"}), 7);
  scene.NoFaults();
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b"});
  scene.Back({"a"});
  CheckDeleted(scene);
  HSM_CHECK_EXIT(scene.Hsm({"health", "--fail-on", "degraded"}), 0);
}

TEST_CASE("an in-doubt deletion that a sync has collected is settled by its operation id") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.plan("b").Set(kTakesNothing);
  const std::string op_id = "0b5c1a52-2f0e-4d6e-9d0a-3f1f6a5f7b11";
  HSM_REQUIRE_EXIT(scene.Hsm({"delete", "x", "--yes", "--op-id", op_id}), 6);
  scene.NoFaults();
  const Ended sync = scene.Hsm({"sync"});
  HSM_REQUIRE_EXIT(sync, 0);
  REQUIRE_MESSAGE(Says(sync.out, "1 deleted secrets collected"), sync.out);
  const Ended again = scene.Hsm({"delete", "x", "--yes", "--op-id", op_id});
  HSM_CHECK_EXIT(again, 0);
  CHECK_MESSAGE(Says(again.out, "x is not there"), again.out);
  CHECK(scene.Hsm({"delete", "x", "--yes"}).code == 4);
}

}  // namespace hsmops::test
