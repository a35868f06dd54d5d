// Found by review: whoever is in the sync set can be promoted without loss, so nobody may come
// into it, or be left alone in it, unproved.
#include <doctest/doctest.h>

#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {

TEST_CASE("raising minSyncMirrors does not make a lagging mirror one that can be promoted") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.plan("c").Set(kTakesNothing);
  scene.Put("x", "acknowledged");  // on a and b
  scene.NoFaults();
  scene.Gone({"a"});

  REQUIRE(!Says(scene.Spec(), "minSyncMirrors"));
  scene.EditSpec("  mirroring:\n", "  mirroring:\n    minSyncMirrors: 2\n");
  CHECK(scene.TryPut("y", "the Primary is gone").code != 0);  // reads what was edited

  scene.Gone({"b"});
  const Ended refused = scene.Hsm({"failover"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(!Says(refused.out + refused.err, "lost none"));

  scene.Back({"b"});
  const Ended done = scene.Hsm({"failover"});
  HSM_CHECK_EXIT(done, 0);
  CHECK(scene.Value("x") == "acknowledged");
}

TEST_CASE("a promotion that fails leaves nobody unproved alone in the sync set") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.plan("c").Set(kTakesNothing);
  scene.plan("b").Set("call=2 mode=fail-before function=C_CreateObject rv=0x30");
  const Ended put = scene.TryPutAll({{"x", "acknowledged"}, {"z", "in doubt"}});
  HSM_REQUIRE_EXIT(put, 6);
  REQUIRE(Says(put.out, "x written"));
  scene.NoFaults();
  scene.plan("b").Set(kTakesNothing);
  const Ended promote = scene.Hsm({"promote", "--to", "b"});
  CHECK_MESSAGE(promote.code != 0, promote.out);
  scene.NoFaults();

  scene.Gone({"a", "b"});
  const Ended refused = scene.Hsm({"failover", "--to", "c"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(!Says(refused.out + refused.err, "lost none"));

  scene.Back({"b"});
  const Ended done = scene.Hsm({"failover"});
  HSM_CHECK_EXIT(done, 0);
  CHECK(scene.Value("x") == "acknowledged");
}

}  // namespace hsmops::test
