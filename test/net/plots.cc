#include "test/net/plots.h"

#include <fmt/format.h>

#include <csignal>

namespace hsmops::test {
namespace {

constexpr std::chrono::seconds kWhile{2};

void UntilAnotherThan(Scene& scene, const std::string& primary) {
  scene.Until("another's gate is open", [&] {
    const auto open = scene.GatesOpen();
    return !open.empty() && (open.front() != primary || open.back() != primary);
  });
}

}  // namespace

void RefuseTheLeader(Scene& scene) {
  const std::string primary = scene.Primary();
  const std::string leader = fmt::format("manager-{}", scene.Leader());
  scene.network().Refuse(leader, primary);
  UntilAnotherThan(scene, primary);
  scene.Lasts(kWhile);
  scene.network().Heal();
}

void BringLateGrant(Scene& scene) {
  const int leader = scene.Leader();
  const std::string primary = scene.Primary();
  const std::string who = fmt::format("manager-{}", leader);
  scene.cluster().Arm(who, "after-swap");
  scene.cluster().UntilStoppedAt(who, "after-swap");
  for (const std::string& mirror : scene.OthersThan(primary))
    scene.network().Refuse(mirror, primary);
  for (const int number : scene.cluster().managers()) {
    if (number != leader) scene.network().Refuse(fmt::format("manager-{}", number), primary);
  }
  UntilAnotherThan(scene, primary);
  scene.Lasts(kWhile);
  scene.cluster().Manager(leader).Signal(SIGCONT);
  scene.Lasts(kWhile);
}

}  // namespace hsmops::test
