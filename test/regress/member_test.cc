// Found by review: whose content counts is on record, and what another wrote is nobody's to wipe.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// The node goes by another name in the device's YAML.
void Rename(const RegressScene& scene, const std::string& from, const std::string& to) {
  std::string spec = scene.Spec();
  for (const auto& [before, after] :
       {std::pair("- ", "\n"), std::pair("primaryNode: ", "\n"), std::pair(" ", ": ")}) {
    const std::string what = before + from + after;
    if (const std::size_t at = spec.find(what); at != std::string::npos)
      spec.replace(at, what.size(), before + to + after);
  }
  scene.SetSpec(spec);
}

}  // namespace

TEST_CASE("a member that was away while deletions were collected brings nothing back") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  const std::string whole = scene.DeleteWithout("c", "x");
  const Ended collected = scene.Hsm({"sync"});
  HSM_REQUIRE_EXIT(collected, 0);
  REQUIRE_MESSAGE(Says(collected.out, "1 deleted"), collected.out);
  scene.SetSpec(whole);

  const Ended sync = scene.Hsm({"sync"});
  CHECK_MESSAGE(sync.code != 0, sync.out);
  CHECK(Says(sync.out + sync.err, "reinit --node c"));
  CHECK(scene.Value("x") == "exit 4");
  CHECK(scene.Hsm({"promote", "--to", "c"}).code == 5);
  CHECK(scene.Hsm({"failover", "--to", "c", "--accept-loss", "--yes"}).code == 5);
  CHECK(scene.Hsm({"init"}).code == 5);

  const Ended reinit = scene.Hsm({"reinit", "--node", "c", "--yes"});
  HSM_CHECK_EXIT(reinit, 0);
  CHECK(Says(reinit.err, "x version 1.1"));
  scene.Put("y", "on all three");
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "absent"}, {"y", "on all three"}};
  const ClusterLook look = scene.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("a member that was away and missed no collection only lags") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  const std::string whole = scene.Spec();
  scene.DropFromSpec("c");
  scene.Put("x", "new");
  scene.Must({"sync"});
  scene.SetSpec(whole);
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "new"}};
  const ClusterLook look = scene.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("reinit leaves a token alone that another member of the pool wrote") {
  RegressScene scene({"a", "b"});
  scene.LeaveOnA("x", "on a alone");
  const std::string whole = scene.Spec();
  Rename(scene, "a", "a2");
  const Ended refused = scene.Hsm({"reinit", "--node", "a2", "--yes"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK(Says(refused.err, "left as it is"));
  scene.SetSpec(whole);
  scene.Must({"sync"});
  CHECK(Says(scene.Hsm({"divergence", "list"}).out, "x"));
}

TEST_CASE("reinit leaves a token alone that belongs to another pool") {
  RegressScene scene({"a", "b"});
  RegressScene other({"p", "q"});
  other.Put("x", "of the other pool");
  scene.EditSpec(scene.token("b").folder(), other.token("q").folder());
  scene.EditSpec("token=b", "token=q");
  const Ended refused = scene.Hsm({"reinit", "--node", "b", "--yes"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK_MESSAGE(Says(refused.err, "left as it is"), refused.err);
  other.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "of the other pool"}};
  const ClusterLook look = other.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("a node that is not on record does not keep a member from its token") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "served");
  std::string spec = scene.Spec();
  const std::string endpoint = "      a: ";
  REQUIRE(Says(spec, endpoint));
  const std::size_t at = spec.find(endpoint);
  const std::string line = spec.substr(at, spec.find('\n', at) + 1 - at);
  scene.SetSpec(spec.insert(at, "      d: " + line.substr(endpoint.size())));
  scene.EditSpec("    - b\n", "    - b\n    - d\n");
  const auto begin = std::chrono::steady_clock::now();
  const Ended get = scene.Hsm({"get", "x", "--key", "k", "--raw"});
  HSM_CHECK_EXIT(get, 0);
  CHECK(get.out == "served");
  CHECK_MESSAGE(get.err.empty(), get.err);  // the Primary confirms it
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(8));  // not the lock's 10
}

}  // namespace hsmops::test
