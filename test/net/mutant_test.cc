// Known ways to break the protocol are found by these scenarios and their checker.
#include "libhsmops/base/mutant.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "test/net/plots.h"

namespace hsmops::test {
namespace {

SceneOptions With(base::Mutant mutant) {
  return {.relayed = false, .env = {{"KHSM_MUTANT", fmt::format("{}", int(mutant))}}};
}

}  // namespace

TEST_CASE("a promotion that does not wait for the old grant is found: two answer as the Primary") {
  Scene scene(With(base::Mutant::kNoWait));
  scene.Burden();
  RefuseTheLeader(scene);
  CHECK(!scene.EndsWith().empty());
}

}  // namespace hsmops::test
