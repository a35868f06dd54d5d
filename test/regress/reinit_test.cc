// Found by review: what wipes a token, or takes a blank one in, did not ask whether others need
// what is on it, or hold what it lacks.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>
#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

std::set<fs::path> ObjectsOf(const SoftHsmToken& token) {
  std::set<fs::path> objects;
  for (const auto& entry : fs::recursive_directory_iterator(token.tokens_folder())) {
    const fs::path& path = entry.path();
    if (path.extension() == ".object" && path.filename() != "token.object") objects.insert(path);
  }
  return objects;
}

void Spoil(const fs::path& object) {
  std::string bytes = ReadText(object);
  REQUIRE(bytes.size() > 200);
  for (std::size_t at = bytes.size() - 200; at < bytes.size() - 150; ++at)
    bytes[at] = static_cast<char>(~bytes[at]);
  WriteText(object, bytes);
}

// Puts x = kept on both, then takes it from the Primary a by `harm`; reinit of b must be refused.
void RefusesReinit(void (*harm)(const fs::path& object)) {
  RegressScene scene({"a", "b"});
  scene.Put("y", "whole");
  const std::set<fs::path> before = ObjectsOf(scene.token("a"));
  scene.Put("x", "kept");
  std::set<fs::path> of_x = ObjectsOf(scene.token("a"));
  for (const fs::path& object : before) of_x.erase(object);
  REQUIRE(of_x.size() == 1);
  harm(*of_x.begin());
  const std::set<fs::path> on_b = ObjectsOf(scene.token("b"));

  const Ended refused = scene.Hsm({"reinit", "--node", "b", "--yes"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(ObjectsOf(scene.token("b")) == on_b);
  CHECK(scene.Value("x") == "kept");
  CHECK(scene.Value("y") == "whole");

  // The way out: what the Primary lacks comes back to it, and then nothing is in the way.
  const Ended sync = scene.Hsm({"sync"});
  HSM_CHECK_EXIT(sync, 0);
  const Ended again = scene.Hsm({"reinit", "--node", "b", "--yes"});
  HSM_CHECK_EXIT(again, 0);
  CHECK(scene.Value("x") == "kept");
  CHECK(scene.Value("y") == "whole");
}

}  // namespace

TEST_CASE("reinit is refused while the mirror has whole what is damaged on the Primary") {
  RefusesReinit(Spoil);
}

TEST_CASE("reinit is refused while the mirror has what the Primary lacks") {
  RefusesReinit([](const fs::path& object) { fs::remove(object); });
}

TEST_CASE("init does not take a blank token as the Primary while others hold secrets") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "kept");
  scene.Put("y", "kept too");
  scene.Must({"promote", "--to", "b"});
  for (const fs::path& object : ObjectsOf(scene.token("b"))) fs::remove(object);
  fs::remove_all(scene.cluster().folder() + "/.members/default.local/b");

  const Ended refused = scene.Hsm({"init"});
  HSM_CHECK_EXIT(refused, 5);
  const Ended failover = scene.Hsm({"failover"});
  HSM_CHECK_EXIT(failover, 0);
  CHECK(Says(failover.out, "lost none"));
  CHECK(scene.Value("x") == "kept");
  CHECK(scene.Value("y") == "kept too");
}

TEST_CASE("a wipe that failed names reinit alone as the way out, and that is one") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "kept");
  scene.plan("b").Set("call=2 mode=fail-before function=C_DestroyObject times=0");
  const Ended failed = scene.Hsm({"reinit", "--node", "b", "--yes"});
  HSM_REQUIRE_EXIT(failed, 6);
  CHECK_MESSAGE(!Says(failed.err, " sync"), failed.err);
  CHECK_MESSAGE(Says(failed.err, "reinit"), failed.err);
  scene.NoFaults();
  HSM_CHECK_EXIT(scene.Hsm({"reinit", "--node", "b", "--yes"}), 0);
}

}  // namespace hsmops::test
