// Found by review: an older record was obeyed as soon as the member that knew better could not open
// its token, although what it was told stands in a file beside the token.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

constexpr const char* kHangs = "call=1 mode=hang function=C_OpenSession times=0";

// Cluster files as they were when they were kept.
class KeptParts {
 public:
  KeptParts(const RegressScene& scene, std::vector<std::string> parts)
      : folder_(scene.cluster().folder()), parts_(std::move(parts)) {
    for (const std::string& part : parts_)
      ReplaceFolder(folder_ + part, folder_ + "/../kept" + part);
  }
  void PutBack() const {
    for (const std::string& part : parts_)
      ReplaceFolder(folder_ + "/../kept" + part, folder_ + part);
  }

 private:
  std::string folder_;
  std::vector<std::string> parts_;
};

// s is "new" on a alone, and the record is that of before, with b in the sync set.
struct ToldRecord : RegressScene {
  ToldRecord() : RegressScene({"a", "b"}) {
    Put("s", "old");
    const KeptParts record(*this, {"/leases", "/status"});
    Gone({"b"});
    Put("s", "new");
    Put("z", "on a alone");
    Back({"b"});
    record.PutBack();
  }
};

}  // namespace

TEST_CASE("a member whose token cannot be opened still says that the record is an older one") {
  ToldRecord scene;
  SUBCASE("since a call hangs") { scene.plan("a").Set(kHangs); }
  SUBCASE("since its module is not there") {
    scene.EditSpec(scene.token("a").uri(FaultModulePath()), scene.token("a").uri("/nowhere.so"));
  }
  const Ended failover = scene.Hsm({"--timeout", "4s", "failover", "--to", "b"});
  HSM_CHECK_EXIT(failover, 5);
  CHECK_MESSAGE(Says(failover.err, "EpochRegressed"), failover.err);
  CHECK(!Says(failover.err, "fence-point"));
  const Ended check = scene.Hsm({"--timeout", "4s", "check", "--for", "failover"});
  HSM_CHECK_EXIT(check, 3);
  const Ended health = scene.Hsm({"--timeout", "4s", "health"});
  CHECK_MESSAGE(Says(health.out, "EpochRegressed"), health.out);
  const Ended get = scene.Hsm({"--timeout", "4s", "get", "z", "--key", "k", "--raw"});
  HSM_CHECK_EXIT(get, 1);
  CHECK_MESSAGE(Says(get.err, "EpochRegressed"), get.err);
}

TEST_CASE(
    "the Primary of a later epoch whose token hangs keeps the older record from being obeyed") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "of epoch 1");
  const KeptParts record(scene, {"/leases", "/status", "/.members/default.local/a"});
  scene.Gone({"a"});
  scene.Must({"failover", "--to", "b"});
  scene.Put("x", "of epoch 2");
  scene.Back({"a"});
  record.PutBack();  // the host of a was down
  scene.plan("b").Set(kHangs);
  const Ended get = scene.Hsm({"--timeout", "4s", "get", "x", "--key", "k", "--raw"});
  CHECK_MESSAGE(Says(get.err, "EpochRegressed"), get.err);
  std::vector<std::string> put = scene.PutWords("x", "of epoch 1 again");
  put.insert(put.end(), {"--timeout", "4s"});
  HSM_CHECK_EXIT(scene.Hsm(put), 5);
}

}  // namespace hsmops::test
