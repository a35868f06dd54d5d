// Found by review: diff called two members equal where one knew of a deletion and the other did
// not, and counted deletions as secrets.
#include <doctest/doctest.h>

#include "test/regress/regress_scene.h"

namespace hsmops::test {

TEST_CASE("diff counts no deletion as a secret") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Put("other", "kept");
  scene.Delete("x");
  const Ended equal = scene.Hsm({"diff", "a", "b"});
  HSM_CHECK_EXIT(equal, 0);
  CHECK_MESSAGE(Says(equal.out, "a and b are equal: 1 secrets"), equal.out);
}

TEST_CASE("diff shows a deletion that one of the two does not know") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Gone({"b"});
  scene.Delete("x");
  SUBCASE("and still has the value") {}
  SUBCASE("and never had the name") {
    scene.Put("y", "came and went");
    scene.Delete("y");
  }
  scene.Back({"b"});
  for (const auto& words :
       {std::vector<std::string>{"diff", "a", "b"}, std::vector<std::string>{"diff", "b", "a"}}) {
    const Ended diff = scene.Hsm(words);
    HSM_CHECK_EXIT(diff, 3);
    CHECK_MESSAGE(Says(diff.out, "x "), diff.out);
    CHECK_MESSAGE(Says(diff.out, "deleted on a"), diff.out);
  }
}

}  // namespace hsmops::test
