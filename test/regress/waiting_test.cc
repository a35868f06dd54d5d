// Found by review: what a command says and how long it takes when a token cannot be opened, or when
// what its process waits for is no PKCS#11 call.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

// Everywhere in the device's file.
void ChangeDevice(const RegressScene& scene, const std::string& from, const std::string& to) {
  const std::string file = scene.cluster().folder() + "/hsmdevices/default.local.yaml";
  std::string text = ReadText(file);
  REQUIRE(Says(text, from));
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
    text.replace(at, from.size(), to);
  WriteText(file, text);
}

}  // namespace

TEST_CASE("a module file that is missing does not make a secret not found") {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  const std::string missing = "/nowhere/libsofthsm2.so";
  ChangeDevice(scene, FaultModulePath(), missing);
  for (const auto& words : {std::vector<std::string>{"get", "app"}, {"sync"}, {"diff", "a", "b"}}) {
    CAPTURE(words[0]);
    const Ended ended = scene.Hsm(words);
    HSM_CHECK_EXIT(ended, 1);
    CHECK_MESSAGE(Says(ended.err + ended.out, missing), ended.out, ended.err);
  }
  ChangeDevice(scene, missing, FaultModulePath());
  CHECK(scene.Value("app") == "kept");
}

}  // namespace hsmops::test
