// Found by review: exit 1 says "failed, state unchanged", and a few commands said it of what they
// had done, or could not tell.
#include <doctest/doctest.h>

#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// A version of "alone" is in quarantine on a.
void SetAside(RegressScene& scene) {
  scene.Put("x", "old");
  scene.Gone({"b", "c"});
  scene.Put("alone", "on a alone");
  scene.Gone({"a"});
  scene.Back({"b", "c"});
  scene.Must({"failover", "--accept-loss", "--yes"});
  scene.Back({"a"});
  scene.Must({"sync"});
}

// Tokens that no cluster has yet, behind the fault module.
struct BareTokens {
  SoftHsmTokens tokens;
  SoftHsmToken& a = tokens.Add("a");
  SoftHsmToken& b = tokens.Add("b");
  LocalCluster cluster{tokens.folder() + "/cluster"};

  static std::string Member(const std::string& node, const SoftHsmToken& token) {
    return node + "=" + token.uri(FaultModulePath());
  }
};

}  // namespace

TEST_CASE("a discard whose destroy has no answer is in doubt, and the list settles it") {
  RegressScene scene({"a", "b", "c"});
  SetAside(scene);
  scene.Save();
  for (const std::string end : {"die-before", "die-after", "fail-before", "fail-after"}) {
    CAPTURE(end);
    scene.Restore();
    scene.plan("a").Set("call=1 function=C_DestroyObject mode=" + end);
    const Ended ended = scene.Hsm({"divergence", "discard", "alone", "--yes"});
    REQUIRE(!scene.plan("a").fired().empty());
    scene.NoFaults();
    HSM_CHECK_EXIT(ended, 6);
    CHECK_MESSAGE(Says(ended.err, "in doubt"), ended.err);
    CHECK_MESSAGE(Says(ended.err, "divergence list"), ended.err);
    CHECK_MESSAGE(!Says(ended.err, "failed"), ended.err);
    const Ended list = scene.Hsm({"divergence", "list"});
    HSM_CHECK_EXIT(list, 0);
    CHECK_MESSAGE(Says(list.out, "alone") == end.ends_with("before"), list.out);
  }
}

TEST_CASE(
    "an init whose token's process dies over the first record is in doubt, and init again "
    "settles it") {
  for (const std::string end : {"die-before", "die-after"}) {
    CAPTURE(end);
    BareTokens bare;
    FaultPlan plan(bare.b.conf() + ".faults");
    plan.Set("call=1 function=C_CreateObject mode=" + end);
    const Ended ended = bare.cluster.Hsm({"init", "--member", BareTokens::Member("a", bare.a),
                                          "--member", BareTokens::Member("b", bare.b)});
    REQUIRE(!plan.fired().empty());
    plan.Set("");
    HSM_CHECK_EXIT(ended, 6);
    CHECK_MESSAGE(Says(ended.err, "init"), ended.err);
    const Ended again = bare.cluster.Hsm({"init"});
    HSM_CHECK_EXIT(again, 0);
    CHECK_MESSAGE(Says(again.out, "1 mirrors in sync"), again.out);
  }
}

}  // namespace hsmops::test
