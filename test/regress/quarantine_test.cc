// Found by review: the quarantine holds the last copy of what it holds, so it is not given up
// because of one wrong answer, and nothing that was acknowledged gets past it.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// What is in quarantine of this name, as export writes it; "exit N: …" if it cannot.
std::string Exported(const RegressScene& scene, const std::string& name) {
  const std::string file = scene.cluster().folder() + "/../exported";
  std::filesystem::remove(file);
  const Ended ended = scene.Hsm({"divergence", "export", name, "--to", file});
  if (ended.code != 0) return "exit " + std::to_string(ended.code) + ": " + ended.err;
  return ReadText(file);
}

}  // namespace

TEST_CASE("one wrong answer for the head of a quarantined secret does not destroy its parts") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.Gone({"b", "c"});
  scene.Put("big", std::string(8'000, 'b'));  // several objects
  scene.Gone({"a"});
  scene.Back({"b", "c"});
  scene.Must({"failover", "--accept-loss", "--yes"});
  scene.Back({"a"});
  scene.Must({"sync"});
  scene.Save();
  const std::string rescued = Exported(scene, "big");
  REQUIRE_MESSAGE(Says(rescued, "big"), rescued);

  for (const std::string lie : {"mode=flip arg=100", "mode=truncate arg=40"}) {
    int k = 1;
    for (;; ++k) {
      scene.Restore();
      const std::string fault = "call=" + std::to_string(k) + " attr=0x11 " + lie;
      scene.plan("a").Set(fault);
      scene.TryPut("other", "o" + std::to_string(k));
      const bool fired = !scene.plan("a").fired().empty();
      scene.NoFaults();
      const std::string exported = Exported(scene, "big");
      const bool kept = exported == rescued;
      CHECK_MESSAGE(kept, fault, ": ", exported.substr(0, 200));
      if (!fired) break;
    }
    CHECK(k > 3);
  }
}

TEST_CASE("an acknowledged write of an epoch that ended is in quarantine, not overwritten") {
  RegressScene scene({"a", "b", "c"});
  scene.Put("x", "old");
  scene.Must({"promote", "--to", "b"});
  // Epoch 2 goes on on b alone, and gets far.
  scene.Gone({"a", "c"});
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 1; i <= 8; ++i) many.emplace_back("y" + std::to_string(i), "on-b-alone");
  HSM_REQUIRE_EXIT(scene.TryPutAll(many), 0);
  scene.Gone({"b"});
  scene.Back({"a", "c"});
  scene.Must({"failover", "--to", "a", "--accept-loss", "--yes"});
  scene.Back({"b"});
  scene.Must({"sync"});  // a and c learn of eight versions, none of them of epoch 3
  // Epoch 3 goes on on a alone, and does not get that far.
  scene.Gone({"b", "c"});
  scene.Put("x", "acknowledged-on-a-alone");
  scene.Gone({"a"});
  scene.Back({"b", "c"});
  scene.Must({"failover", "--to", "b", "--accept-loss", "--yes"});
  scene.Put("x", "newer-on-b");
  scene.Back({"a"});
  scene.Must({"sync"});

  CHECK(scene.Value("x") == "newer-on-b");
  const Ended list = scene.Hsm({"divergence", "list"});
  HSM_CHECK_EXIT(list, 0);
  CHECK_MESSAGE(Says("\n" + list.out, "\nx "), list.out);
  const std::string exported = Exported(scene, "x");
  CHECK_MESSAGE(exported.starts_with("{"), exported);
}

}  // namespace hsmops::test
