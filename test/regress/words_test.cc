// Found by review: a usage error repeated the word that was not understood, which is the value
// whenever somebody forgets a flag; and a quarantine that nobody could look into was said to be
// empty.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {

TEST_CASE("no usage error of put prints a value") {
  RegressScene scene({"a", "b"});
  const std::vector<std::vector<std::string>> mistakes{
      {"put", "app", "password=SECRET"},
      {"put", "app", "--", "password=SECRET"},
      {"put", "app", "--from-litteral", "password=SECRET"},
      {"put", "app", "--from-litteral=password=SECRET"},
      {"put", "app", "--from-literal", "a=1", "b=SECRET"},
      {"put", "app", "-p", "SECRET"},
      {"put", "app", "--stdin-key", "token", "--merge=SECRET"},
      {"put", "app", "--from-literal", "=SECRET"},
      {"put", "app", "--from-literal", "bad key=SECRET"},
      {"put", "app", "--from-literal", "SECRET"},
  };
  for (const auto& words : mistakes) {
    const Ended ended = scene.Hsm(words);
    const std::string said = ended.out + ended.err;
    CAPTURE(words.back());
    HSM_CHECK_EXIT(ended, 2);
    CHECK_MESSAGE(!Says(said, "SECRET"), said);
    CHECK(!said.empty());
  }
  CHECK(scene.Hsm({"get", "app"}).code == 4);
}

TEST_CASE("divergence list does not call a quarantine empty that it cannot look into") {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  scene.Gone({"b"});
  const Ended partial = scene.Hsm({"divergence", "list"});
  HSM_CHECK_EXIT(partial, 7);
  // It may say so of those that answered.
  CHECK(!Says(partial.out + partial.err, "nothing is in quarantine\n"));
  CHECK(Says(partial.err, "b cannot be asked"));
  scene.Back({"b"});
  const Ended whole = scene.Hsm({"divergence", "list"});
  HSM_CHECK_EXIT(whole, 0);
  CHECK(Says(whole.out + whole.err, "nothing is in quarantine"));
}

}  // namespace hsmops::test
