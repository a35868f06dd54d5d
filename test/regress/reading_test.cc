// Found by review: what a get serves unmarked must not be taken back by a failover that loses
// nothing.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// Whether this get of a secret says itself that it may not last.
bool Marked(const Ended& ended) {
  if (Says(ended.err, "warning")) return true;
  const auto object = nlohmann::json::parse(ended.out, nullptr, false);
  if (!object.is_object()) return false;
  const auto from = nlohmann::json::json_pointer("/status/servedFrom/primary");
  return object.contains(from) && object[from] == false;
}

bool ShowsNew(const Ended& ended) { return Says(ended.out, "bmV3"); }  // "new" in base64

// x is "old" on a, b and c, and "new" on a alone, where a put left it in doubt.
struct InDoubt : RegressScene {
  InDoubt() : RegressScene({"a", "b", "c"}) {
    Put("x", "old");
    plan("b").Set(kTakesNothing);
    plan("c").Set(kTakesNothing);
    HSM_REQUIRE_EXIT(TryPut("x", "new"), 6);
  }
  bool OnAMirror() const {
    const ClusterLook look = Look({{"x", ""}});
    return look.members.at("b").values.at("x") == "new" ||
           look.members.at("c").values.at("x") == "new";
  }
};

const std::vector<std::string> kGet{"get", "x", "--reveal", "-o", "json"};

}  // namespace

TEST_CASE("get does not serve unmarked what no mirror takes") {
  InDoubt scene;
  const Ended get = scene.Hsm(kGet);
  CHECK_MESSAGE((!ShowsNew(get) || Marked(get) || scene.OnAMirror()), get.out, get.err);
  // Without -o json it is said too.
  const Ended plain = scene.Hsm({"get", "x", "--reveal"});
  CHECK_MESSAGE((!Says(plain.out, "new") || Says(plain.err, "warning") || scene.OnAMirror()),
                plain.out, plain.err);
}

TEST_CASE("what get has served unmarked is served after a failover that lost nothing") {
  InDoubt scene;
  scene.NoFaults();
  const Ended get = scene.Hsm(kGet);
  const bool shown = ShowsNew(get) && !Marked(get);
  CHECK_MESSAGE((!shown || scene.OnAMirror()), get.out, get.err);
  scene.Gone({"a"});
  const Ended failover = scene.Hsm({"failover"});
  if (shown && failover.code == 0 && Says(failover.out, "lost none"))
    CHECK(scene.Value("x") == "new");
}

TEST_CASE("of two mirrors in the sync set get believes the one that has the newer version") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("other", "kept");
  std::string expected = "new";
  SUBCASE("of a name that the other never had") {
    scene.plan("b").Set(kTakesNothing);
    scene.Put("x", "new");
  }
  SUBCASE("of a value") {
    scene.Put("x", "old");
    scene.plan("b").Set(kTakesNothing);
    scene.Put("x", "new");
  }
  SUBCASE("which is a deletion") {
    scene.Put("x", "old");
    scene.plan("b").Set(kTakesNothing);
    scene.Delete("x");
    expected = "exit 4";
  }
  scene.NoFaults();
  scene.Gone({"a"});
  CHECK(scene.Value("x") == expected);
}

TEST_CASE("a secret that the sync set knows deleted is not served by a mirror that lags") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.Put("other", "kept");
  bool away = false;
  SUBCASE("and is in the sync set") { scene.plan("c").Set(kTakesNothing); }
  SUBCASE("and has left the sync set") { away = true; }
  if (away) scene.Gone({"c"});
  scene.Delete("x");  // a and b know
  scene.NoFaults();
  if (away) scene.Back({"c"});
  scene.Gone({"a"});
  for (const auto& words : {kGet, std::vector<std::string>{"get", "x", "--key", "k", "--raw"}}) {
    const Ended get = scene.Hsm(words);
    CHECK_MESSAGE(get.code == 4, get.out, get.err);
    CHECK(!Says(get.out, "old"));
    CHECK(!Says(get.out, "b2xk"));  // "old" in base64
  }
  CHECK(scene.Value("other") == "kept");
}

}  // namespace hsmops::test
