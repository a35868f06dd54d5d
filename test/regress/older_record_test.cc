// Found by review: a record older than what its members know is not obeyed by anybody, and a blank
// token counts for nothing.
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

struct RecordScene : RegressScene {
  using RegressScene::RegressScene;
  void Keep() const { Copy("", ".kept"); }
  void PutBack() const { Copy(".kept", ""); }
  void SetSpec(const std::string& text) const { WriteText(File(), text); }
  std::string Spec() const { return ReadText(File()); }
  std::string SpecWithout(const std::string& node) const {
    std::string kept;
    std::istringstream lines(Spec());
    for (std::string line; std::getline(lines, line);) {
      if (!line.ends_with("- " + node) && !Says(line, " " + node + ": ")) kept += line + "\n";
    }
    return kept;
  }

 private:
  std::string File() const { return cluster().folder() + "/hsmdevices/default.local.yaml"; }
  void Copy(const std::string& from, const std::string& to) const {
    for (const std::string part : {"/leases", "/status"}) {
      fs::remove_all(cluster().folder() + part + to);
      if (fs::exists(cluster().folder() + part + from))
        fs::copy(cluster().folder() + part + from, cluster().folder() + part + to,
                 fs::copy_options::recursive);
    }
  }
};

}  // namespace

TEST_CASE("with an older record of the same epoch nothing is synced, read as certain or written") {
  RecordScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  scene.Keep();
  const std::string whole = scene.Spec();
  scene.SetSpec(scene.SpecWithout("c"));
  scene.Must({"delete", "x", "--yes"});
  scene.Must({"sync"});
  scene.Put("y", "later");
  scene.SetSpec(whole);
  scene.PutBack();
  for (const auto& words : {std::vector<std::string>{"sync"}, {"reinit", "--node", "c", "--yes"}}) {
    const Ended ended = scene.Hsm(words);
    HSM_CHECK_EXIT(ended, 5);
    CHECK(Says(ended.err, "EpochRegressed"));
  }
  HSM_CHECK_EXIT(scene.TryPut("z", "refused"), 5);
  CHECK(scene.Hsm({"health"}).code == 3);
  scene.Must({"failover", "--to", "a", "--accept-loss", "--yes"});
  CHECK(scene.Value("y") == "later");
}

TEST_CASE("with an older record put back, what is acknowledged since is never not found") {
  RecordScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.Gone({"b"});
  scene.Put("x", "S is c");
  scene.Back({"b"});
  scene.Keep();
  scene.Must({"sync"});
  scene.Must({"promote", "--to", "b"});
  scene.Gone({"c"});
  scene.Put("y", "on a and b");
  scene.Back({"c"});
  scene.PutBack();
  const Ended get = scene.Hsm({"get", "y", "--key", "k", "--raw"});
  HSM_CHECK_EXIT(get, 0);
  CHECK(get.out == "on a and b");
  CHECK(Says(get.err, "EpochRegressed"));
  CHECK(scene.Value("never") == "exit 1");
}

TEST_CASE("init does not make a blank token a member that is counted on") {
  RecordScene scene({"a", "b", "c"});
  scene.Gone({"b"});
  scene.Put("x", "on a and c");
  scene.Back({"b"});
  scene.Gone({"a", "c"});
  fs::remove_all(scene.cluster().folder() + "/.members/default.local/c");
  const SoftHsmToken& c = scene.token("c");
  const Ended made = Run({"softhsm2-util", "--init-token", "--free", "--label", c.label(),
                          "--so-pin", ReadText(c.pin_path()), "--pin", ReadText(c.pin_path())},
                         {.env = {{"SOFTHSM2_CONF", c.conf()}}});
  HSM_REQUIRE_EXIT(made, 0);
  scene.SetSpec(scene.SpecWithout("a"));
  std::string spec = scene.Spec();
  const std::string before = "primaryNode: a\n";
  spec.replace(spec.find(before), before.size(), "primaryNode: b\n");
  scene.SetSpec(spec.erase(spec.find("    - b\n"), 8));
  CHECK(scene.Hsm({"init"}).code == 1);
  CHECK(scene.Hsm({"failover"}).code == 5);
  CHECK(scene.Hsm({"failover", "--to", "c"}).code == 5);
}

}  // namespace hsmops::test
