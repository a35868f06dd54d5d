// Found by review: whose content counts is on record, and what another wrote is nobody's to wipe.
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <utility>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

class SpecScene : public RegressScene {
 public:
  using RegressScene::RegressScene;

  std::string Spec() const { return ReadText(File()); }
  void SetSpec(const std::string& text) const { WriteText(File(), text); }
  // The device without this node: every line that names it goes.
  static std::string Without(const std::string& spec, const std::string& node) {
    std::string kept;
    std::istringstream lines(spec);
    for (std::string line; std::getline(lines, line);) {
      const bool names = line.ends_with("- " + node) || Says(line, " " + node + ": ");
      if (!names) kept += line + "\n";
    }
    return kept;
  }
  static std::string Renamed(std::string spec, const std::string& from, const std::string& to) {
    for (const auto& [before, after] :
         {std::pair("- ", "\n"), std::pair("primaryNode: ", "\n"), std::pair(" ", ": ")}) {
      const std::string what = before + from + after;
      if (const std::size_t at = spec.find(what); at != std::string::npos)
        spec.replace(at, what.size(), before + to + after);
    }
    return spec;
  }

 private:
  std::string File() const { return cluster().folder() + "/hsmdevices/default.local.yaml"; }
};

}  // namespace

TEST_CASE("a member that was away while deletions were collected brings nothing back") {
  SpecScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  const std::string whole = scene.Spec();
  scene.SetSpec(SpecScene::Without(whole, "c"));
  scene.Must({"delete", "x", "--yes"});
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
  SpecScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  const std::string whole = scene.Spec();
  scene.SetSpec(SpecScene::Without(whole, "c"));
  scene.Put("x", "new");
  scene.Must({"sync"});
  scene.SetSpec(whole);
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "new"}};
  const ClusterLook look = scene.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

TEST_CASE("reinit leaves a token alone that another member of the pool wrote") {
  SpecScene scene({"a", "b"});
  scene.Gone({"b"});
  scene.Put("x", "on a alone");
  scene.Back({"b"});
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b", "--accept-loss", "--yes"});
  scene.Back({"a"});
  const std::string whole = scene.Spec();
  scene.SetSpec(SpecScene::Renamed(whole, "a", "a2"));
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
  const std::string file = scene.cluster().folder() + "/hsmdevices/default.local.yaml";
  std::string spec = ReadText(file);
  const std::string mine = scene.token("b").folder();
  for (std::size_t at = spec.find(mine); at != std::string::npos; at = spec.find(mine, at))
    spec.replace(at, mine.size(), other.token("q").folder());
  const auto swap = [&](const std::string& from, const std::string& to) {
    const std::size_t at = spec.find(from);
    if (at != std::string::npos) spec.replace(at, from.size(), to);
  };
  swap("token=b", "token=q");
  swap("serial=" + scene.token("b").serial(), "serial=" + other.token("q").serial());
  WriteText(file, spec);
  const Ended refused = scene.Hsm({"reinit", "--node", "b", "--yes"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK_MESSAGE(Says(refused.err, "left as it is"), refused.err);
  other.Must({"sync"});
  const std::map<std::string, std::string> values{{"x", "of the other pool"}};
  const ClusterLook look = other.Look(values);
  CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
}

}  // namespace hsmops::test
