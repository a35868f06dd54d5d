// Found by review: secrets in the older operator's layout are not mirrored until they are adopted,
// so a promotion lost those of the old Primary and brought back the target's.
#include <doctest/doctest.h>

#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

void WriteLegacy(RegressScene& scene, const std::string& node, const std::string& name,
                 const std::string& value) {
  scene.token(node).WriteOlderObject(name + "/k", value);
}

}  // namespace

TEST_CASE("names that adopt cannot take keep nobody from being promoted, and all say so alike") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "kept");
  WriteLegacy(scene, "a", "good", "on a");
  scene.token("a").WriteOlderObject("nokey", "no slash");
  WriteLegacy(scene, "a", "Bad Name", "outside the grammar");
  scene.token("b").WriteOlderObject("nokey", "no slash");
  HSM_CHECK_EXIT(scene.Hsm({"promote", "--to", "b"}), 5);
  const Ended check = scene.Hsm({"check", "--for", "promote"});
  HSM_CHECK_EXIT(check, 3);
  CHECK_MESSAGE(Says(check.out, "1 secrets in the older operator's layout"), check.out);

  const Ended adopt = scene.Hsm({"adopt"});
  HSM_CHECK_EXIT(adopt, 7);
  CHECK_MESSAGE(Says(adopt.err, "hsm --local"), adopt.err);
  for (const char* verb : {"health", "status"}) {
    const Ended told = scene.Hsm({verb, "-o", "jsonpath={.status.findings[*].reason}"});
    CHECK_MESSAGE(told.out == "NotAdoptable", verb, told.out, told.err);
  }
  const Ended health = scene.Hsm({"health"});
  HSM_CHECK_EXIT(health, 0);
  CHECK_MESSAGE(Says(health.out, "2 names"), health.out);
  HSM_CHECK_EXIT(scene.Hsm({"check", "--for", "promote"}), 0);
  HSM_CHECK_EXIT(scene.Hsm({"promote", "--to", "b"}), 0);
  CHECK(scene.Value("x") == "kept");
  CHECK(scene.Value("good") == "on a");
}

TEST_CASE("the way out for a name that adopt cannot take is put or delete") {
  for (const bool put : {true, false}) {
    RegressScene scene({"a", "b"});
    scene.token("a").WriteOlderObject("nokey", "no slash");
    HSM_CHECK_EXIT(scene.Hsm({"health", "--fail-on", "degraded"}), 3);
    if (put) {
      scene.Put("nokey", "chosen");
    } else {
      scene.Must({"delete", "nokey", "--yes"});
    }
    HSM_CHECK_EXIT(scene.Hsm({"health", "--fail-on", "degraded"}), 0);
    CHECK(scene.Value("nokey") == (put ? "chosen" : "exit 4"));
  }
}

TEST_CASE("a promotion is refused while the Primary holds secrets that are not adopted") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "kept");
  WriteLegacy(scene, "a", "only", "on a");
  REQUIRE(scene.Value("only") == "on a");
  const Ended refused = scene.Hsm({"promote", "--to", "c"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(Says(refused.err, "adopt"));
  CHECK(scene.Value("only") == "on a");

  scene.Must({"adopt"});
  const Ended promoted = scene.Hsm({"promote", "--to", "c"});
  HSM_CHECK_EXIT(promoted, 0);
  CHECK(scene.Value("only") == "on a");
  CHECK(scene.Value("x") == "kept");
}

TEST_CASE("a promotion does not bring back what was deleted, from the target's older layout") {
  RegressScene scene({"a", "b", "c"});
  for (const char* node : {"a", "b", "c"}) WriteLegacy(scene, node, "deleted", "of no use");
  scene.Gone({"c"});
  scene.Must({"delete", "deleted", "--yes"});
  scene.Back({"c"});
  for (int i = 0; i < 2; ++i) scene.Hsm({"sync"});  // the first collects what was deleted
  REQUIRE(scene.Value("deleted") == "exit 4");
  const Ended promote = scene.Hsm({"promote", "--to", "c"});
  CHECK_MESSAGE((promote.code == 5 || promote.code == 0), promote.err);
  CHECK(scene.Value("deleted") == "exit 4");
}

TEST_CASE("a promotion is refused while the target alone holds secrets that are not adopted") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "kept");
  WriteLegacy(scene, "c", "only", "on c");
  const Ended refused = scene.Hsm({"promote", "--to", "c"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(scene.Value("only") == "exit 4");
  scene.Must({"promote", "--to", "b"});  // b holds none
}

TEST_CASE("adopt takes no value of which a mirror has another, and asks every mirror") {
  RegressScene scene({"a", "b"});
  WriteLegacy(scene, "a", "same", "v");
  WriteLegacy(scene, "b", "same", "v");
  WriteLegacy(scene, "a", "x", "older");
  WriteLegacy(scene, "b", "x", "newer");
  scene.Gone({"b"});
  const Ended unknown = scene.Hsm({"adopt"});
  HSM_CHECK_EXIT(unknown, 1);
  scene.Back({"b"});
  const Ended adopt = scene.Hsm({"adopt"});
  HSM_CHECK_EXIT(adopt, 7);
  CHECK(Says(adopt.err, "x: b has another value"));
  CHECK(!Says(adopt.err + adopt.out, "newer"));
  for (const char* other : {"y", "z"}) scene.Put(other, "collects what is superseded");
  const ClusterLook look = scene.Look({{"x", ""}, {"same", ""}});
  CHECK(look.members.at("a").values.at("x") == "older");
  CHECK(look.members.at("b").values.at("x") == "newer");
  CHECK(look.members.at("b").values.at("same") == "v");
  scene.Put("x", "chosen");
  CHECK(scene.Value("x") == "chosen");
}

}  // namespace hsmops::test
