// Found by review: an init that failed left tokens behind that were in the way of the corrected
// one, and one token that was given to two nodes was waited for a minute.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

struct InitScene {
  SoftHsmTokens tokens;
  SoftHsmToken& a = tokens.Add("a");
  SoftHsmToken& b = tokens.Add("b");
  LocalCluster cluster{tokens.folder() + "/new/cluster"};

  Ended Init(std::vector<std::string> words) const {
    words.insert(words.begin(), "init");
    return cluster.Hsm(std::move(words));
  }
  std::string TokenFolder(const std::string& node) const {
    return cluster.folder() + "/tokens/default.local/" + node;
  }
  // Everything in the cluster's parent folder, however deep.
  std::set<std::string> Paths() const {
    std::set<std::string> paths;
    const fs::path top = tokens.folder();
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const std::string path = fs::relative(entry.path(), top).string();
      if (path.starts_with("new")) paths.insert(path);
    }
    return paths;
  }
};

}  // namespace

TEST_CASE("an init that fails at the second token leaves nothing of the first") {
  InitScene scene;
  fs::create_directories(scene.TokenFolder("b"));
  WriteText(scene.TokenFolder("b") + "/softhsm2.conf", "somebody's");
  const std::set<std::string> before = scene.Paths();
  const Ended refused = scene.Init({"--nodes", "a,b"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK_MESSAGE(Says(refused.err, "b: "), refused.err);
  CHECK(scene.Paths() == before);
  CHECK(ReadText(scene.TokenFolder("b") + "/softhsm2.conf") == "somebody's");
  const Ended corrected = scene.Init({"--nodes", "a,c"});
  HSM_CHECK_EXIT(corrected, 0);
  CHECK(ReadText(scene.TokenFolder("b") + "/softhsm2.conf") == "somebody's");
}

TEST_CASE("an init that fails within a token's folder takes back what it made there, no more") {
  InitScene scene;
  fs::create_directories(scene.TokenFolder("b"));
  WriteText(scene.TokenFolder("b") + "/tokens", "a file in the way");
  const std::set<std::string> before = scene.Paths();
  const Ended failed = scene.Init({"--nodes", "a,b"});
  HSM_CHECK_EXIT(failed, 2);
  CHECK(scene.Paths() == before);
}

TEST_CASE("an init whose given token does not answer takes back the token that it made") {
  InitScene scene;
  scene.b.Vanish();
  const Ended failed = scene.Init({"--nodes", "a", "--member", "b=" + scene.b.uri()});
  HSM_CHECK_EXIT(failed, 1);
  CHECK(!fs::exists(scene.TokenFolder("a")));
  scene.b.Return();
  const Ended again = scene.Init({"--nodes", "a", "--member", "b=" + scene.b.uri()});
  HSM_CHECK_EXIT(again, 0);
}

TEST_CASE("an init that fails leaves a cluster that was there before as it was") {
  InitScene scene;
  HSM_REQUIRE_EXIT(scene.Init({"--nodes", "a"}), 0);
  scene.b.Vanish();
  const Ended failed = scene.cluster.Hsm(
      {"--device", "other", "init", "--nodes", "x", "--member", "b=" + scene.b.uri()});
  HSM_CHECK_EXIT(failed, 1);
  CHECK(!fs::exists(scene.cluster.folder() + "/tokens/default.other"));
  HSM_CHECK_EXIT(scene.cluster.Hsm({"health"}), 0);
}

TEST_CASE("one token for two nodes is refused at once, and both are named") {
  InitScene scene;
  const std::string rest = scene.a.uri().substr(scene.a.uri().find('?'));
  const std::vector<std::pair<std::string, int>> twins{
      {scene.a.uri(), 2},
      {"pkcs11:serial=" + scene.a.serial() + rest, 5},
      {"pkcs11:manufacturer=SoftHSM%20project;token=a" + rest, 5},
  };
  for (const auto& [twin, code] : twins) {
    CAPTURE(twin);
    const auto begin = std::chrono::steady_clock::now();
    const Ended refused = scene.Init(
        {"--member", "first=" + scene.a.uri(), "--member", "second=" + twin, "--timeout", "30s"});
    const auto took = std::chrono::steady_clock::now() - begin;
    HSM_CHECK_EXIT(refused, code);
    CHECK(took < std::chrono::seconds(15));
    CHECK_MESSAGE(Says(refused.err, "first"), refused.err);
    CHECK_MESSAGE(Says(refused.err, "second"), refused.err);
  }
  const Ended corrected =
      scene.Init({"--member", "first=" + scene.a.uri(), "--member", "second=" + scene.b.uri()});
  HSM_CHECK_EXIT(corrected, 0);
}

}  // namespace hsmops::test
