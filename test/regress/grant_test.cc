// Found by review: a grant counts from its nonce, so nothing that takes long may stand between.
#include <doctest/doctest.h>

#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {

TEST_CASE("a mirror that hangs for longer than the grant does not keep the Primary from writing") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "old");
  scene.EditSpec("grantDuration: 10", "grantDuration: 2");
  scene.plan("b").Set("call=1 mode=hang function=C_FindObjectsInit");
  std::vector<std::string> words = scene.PutWords("x", "new");
  words.insert(words.end(), {"--timeout", "4s"});
  const Ended put = scene.Hsm(words);
  HSM_CHECK_EXIT(put, 0);
  CHECK(Says(put.err, "b is out of the sync set"));
  CHECK(scene.Value("x") == "new");
}

}  // namespace hsmops::test
