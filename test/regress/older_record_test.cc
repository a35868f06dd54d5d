// Found by review: a record older than what its members know is not obeyed by anybody, and a blank
// token counts for nothing.
#include <doctest/doctest.h>

#include <filesystem>
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
  void PutBackLeases() const {
    ReplaceFolder(cluster().folder() + "/leases.kept", cluster().folder() + "/leases");
  }
  // The whole node is away, what it remembers with it.
  void HostGone(const char* node) {
    Gone({node});
    fs::rename(Memory(node), Memory(node) + ".away");
  }
  void HostBack(const char* node) {
    Back({node});
    fs::remove_all(Memory(node));
    fs::rename(Memory(node) + ".away", Memory(node));
  }
  // A S of c alone is kept on record; since then b is in it as well.
  void KeepAndGrow() {
    Put("x", "old");
    Gone({"b"});
    Put("x", "S is c");
    Back({"b"});
    Keep();
    Must({"sync"});
  }
  void CheckRefusesAsRegressed(const std::vector<std::string>& words) {
    const Ended ended = Hsm(words);
    HSM_CHECK_EXIT(ended, 5);
    CHECK_MESSAGE(Says(ended.err, "EpochRegressed"), words[0], ": ", ended.err);
  }

 private:
  std::string Memory(const std::string& node) const {
    return cluster().folder() + "/.members/default.local/" + node;
  }
  void Copy(const std::string& from, const std::string& to) const {
    for (const std::string part : {"/leases", "/status"})
      ReplaceFolder(cluster().folder() + part + from, cluster().folder() + part + to);
  }
};

}  // namespace

TEST_CASE("with an older record of the same epoch nothing is synced, read as certain or written") {
  RecordScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  scene.Keep();
  const std::string whole = scene.DeleteWithout("c", "x");
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
  CHECK(scene.Value("x") == "exit 4");  // c still had it
}

TEST_CASE("a collection is told to everybody, so that a Lease from before it is not obeyed") {
  RecordScene scene({"a", "b", "c"});
  scene.Put("x", "deleted");
  const std::string whole = scene.DeleteWithout("c", "x");
  scene.Keep();
  scene.Must({"sync"});
  scene.SetSpec(whole);
  scene.PutBackLeases();
  scene.CheckRefusesAsRegressed({"sync"});
}

TEST_CASE("with an older record and the last Primary's host gone, its mirrors tell") {
  RecordScene scene({"a", "b", "c"});
  scene.KeepAndGrow();
  scene.Gone({"c"});
  scene.Put("y", "on a and b");
  scene.Back({"c"});
  scene.HostGone("a");
  scene.PutBack();
  CHECK(scene.Value("y") == "on a and b");
  CHECK(scene.Hsm({"check", "--for", "failover"}).code == 3);
  scene.CheckRefusesAsRegressed({"failover"});
}

TEST_CASE("with an older record a member that a reinit left empty tells") {
  RecordScene scene({"a", "b", "c"});
  scene.KeepAndGrow();
  scene.plan("c").Set("call=2 mode=die-before function=C_CreateObject");
  HSM_CHECK_EXIT(scene.Hsm({"reinit", "--node", "c", "--yes"}), 6);
  scene.NoFaults();
  scene.HostGone("a");
  scene.PutBack();
  scene.CheckRefusesAsRegressed({"failover"});
}

TEST_CASE("an older record that names somebody who is no member is an older record first") {
  RecordScene scene({"a", "b", "c"});
  scene.KeepAndGrow();
  scene.HostGone("c");
  scene.Must({"promote", "--to", "b"});
  scene.Put("y", "on b and a");
  scene.HostBack("c");
  scene.DropPrimaryFromSpec();
  scene.PutBackLeases();
  CHECK(scene.Value("y") == "on b and a");
  scene.CheckRefusesAsRegressed({"failover"});
}

TEST_CASE("what a failover under an older record loses is unknown, never none") {
  RecordScene scene({"a", "b", "c"});
  scene.KeepAndGrow();
  scene.Gone({"c"});
  scene.Put("y", "on a and b");
  scene.Back({"c"});
  scene.Gone({"a", "b"});
  scene.PutBack();
  scene.CheckRefusesAsRegressed({"failover"});
  const std::vector<std::string> force{"failover", "--to", "c", "--accept-loss", "--yes"};
  scene.plan("c").Set("call=1 mode=die-before function=C_CreateObject");  // its EPOCH object
  HSM_CHECK_EXIT(scene.Hsm(force), 6);
  scene.NoFaults();
  HSM_CHECK_EXIT(scene.Hsm({"failover", "--to", "c"}), 5);  // it is known to who resumes it
  const Ended forced = scene.Hsm(force);
  HSM_CHECK_EXIT(forced, 0);
  CHECK_MESSAGE(Says(forced.out, "unknown"), forced.out);
  CHECK(Says(scene.Hsm({"history"}).out, "unknown"));
}

TEST_CASE("a node that an older record does not know has seen a later epoch, and is asked") {
  RecordScene scene({"a", "b", "c"});
  scene.Put("x", "1");
  const std::string whole = scene.DeleteWithout("c", "x");
  scene.Must({"sync"});
  scene.Put("w", "1");
  scene.SetSpec(whole);
  scene.Keep();
  scene.Must({"reinit", "--node", "c", "--yes"});
  scene.HostGone("a");
  scene.HostGone("b");
  scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
  scene.Put("y", "on c alone");
  scene.HostBack("a");
  scene.HostBack("b");
  scene.PutBack();
  CHECK(scene.Hsm({"health"}).code == 3);
  CHECK(scene.Value("y") == "exit 1");
  HSM_CHECK_EXIT(scene.TryPut("z", "refused"), 5);
  scene.CheckRefusesAsRegressed({"reinit", "--node", "c", "--yes"});
  const std::string way_out = "failover --to c --accept-loss";
  CHECK(Says(scene.Hsm({"health"}).out, way_out));
  scene.Must({"failover", "--to", "c", "--accept-loss", "--yes"});
  CHECK(scene.Value("y") == "on c alone");
  scene.Must({"sync"});
  CHECK(scene.Value("y") == "on c alone");
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
  InitToken(kSoftHsmModule, c.label(), c.pin_path(), c.pin_path(), {{"SOFTHSM2_CONF", c.conf()}});
  scene.DropPrimaryFromSpec();
  CHECK(scene.Hsm({"init"}).code == 5);
  CHECK(scene.Hsm({"failover"}).code == 5);
  CHECK(scene.Hsm({"failover", "--to", "c"}).code == 5);
}

TEST_CASE("reinit wipes no records because the EPOCH object is gone") {
  RecordScene scene({"a", "b"});
  scene.LeaveOnA("x", "on a alone");
  const SoftHsmToken& a = scene.token("a");
  const std::vector<std::string> destroy{"pkcs11-tool",   "--module",      kSoftHsmModule,
                                         "--token-label", a.label(),       "--login",
                                         "--pin",         "env:TOKEN_PIN", "--delete-object",
                                         "--type",        "data",          "--application-label",
                                         "khsm1",         "--label",       "k1.e"};
  const ProcessOptions as_a{
      .env = {{"SOFTHSM2_CONF", a.conf()}, {"TOKEN_PIN", ReadText(a.pin_path())}}};
  int destroyed = 0;
  while (destroyed < 10 && Run(destroy, as_a).code == 0) ++destroyed;
  REQUIRE(destroyed > 0);
  const Ended refused = scene.Hsm({"reinit", "--node", "a", "--yes"});
  HSM_CHECK_EXIT(refused, 5);
  CHECK_MESSAGE(Says(refused.err, "left as it is"), refused.err);
}

}  // namespace hsmops::test
