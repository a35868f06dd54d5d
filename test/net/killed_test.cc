// What is killed or stopped under load, and what is left of it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>

#include "test/net/plots.h"

namespace hsmops::test {
namespace {

void Kill(Process& process) {
  process.Signal(SIGKILL);
  CHECK(process.Wait().signal == SIGKILL);
}

}  // namespace

TEST_CASE("under load the Primary's agent is killed and comes back, and then its follower's") {
  Scene scene;
  for (int round = 0; round < 2; ++round) {
    scene.Burden();
    const std::string primary = scene.Primary();
    Kill(scene.cluster().Agent(primary));
    scene.Until("another is the Primary", [&] { return scene.Primary() != primary; });
    scene.cluster().StartAgent(primary);
    scene.Recovers();
    scene.UntilWhole();
  }
  scene.Ends();
}

TEST_CASE("under load the leading manager is killed, then all managers, then all agents") {
  Scene scene;
  scene.Burden();
  const int leader = scene.Leader();
  Kill(scene.cluster().Manager(leader));
  scene.Until("another leads", [&] { return scene.Leader() != leader; });
  scene.cluster().StartManager(leader);
  scene.Recovers();

  scene.Burden();
  for (const int number : scene.cluster().managers()) Kill(scene.cluster().Manager(number));
  scene.Until("no gate is open", [&] { return scene.GatesOpen().empty(); });
  for (const int number : scene.cluster().managers()) scene.cluster().StartManager(number);
  scene.Recovers();

  scene.Burden();
  for (const std::string& node : scene.cluster().nodes()) Kill(scene.cluster().Agent(node));
  for (const std::string& node : scene.cluster().nodes()) scene.cluster().StartAgent(node);
  scene.Recovers();
  scene.Ends();
}

// Stopped where it has just been allowed to write, for longer than its grant: whatever it does when
// it goes on must not be acknowledged.
TEST_CASE("under load the Primary's agent is stopped behind the gate check, or before W8") {
  Scene scene;
  for (const std::string failpoint : {"after-gate-check", "before-acknowledge"}) {
    scene.Burden();
    const std::string primary = scene.Primary();
    Process& agent = scene.cluster().Agent(primary);
    scene.cluster().Arm(primary, failpoint);
    scene.cluster().UntilStoppedAt(primary, failpoint);
    scene.Until("another is the Primary", [&] { return scene.Primary() != primary; });
    scene.Burden();
    agent.Signal(SIGCONT);
    scene.Recovers();
    scene.UntilWhole();
  }
  scene.Ends();
}

TEST_CASE("under load the leading manager is stopped between P2 and P4, and goes on later") {
  Scene scene;
  scene.Burden();
  const int leader = scene.Leader();
  const std::string primary = scene.Primary();
  const std::string who = fmt::format("manager-{}", leader);
  scene.cluster().Arm(who, "after-fence-point");
  Kill(scene.cluster().Agent(primary));
  scene.cluster().UntilStoppedAt(who, "after-fence-point");
  scene.Until("another leads", [&] { return scene.Leader() != leader; });
  scene.Until("another is the Primary", [&] { return scene.Primary() != primary; });
  scene.Burden();
  scene.cluster().Manager(leader).Signal(SIGCONT);
  scene.cluster().StartAgent(primary);
  scene.Recovers();
  scene.Ends();
}

TEST_CASE(
    "under load a manager is stopped with a renewal in hand, and brings it after a failover") {
  Scene scene;
  scene.Burden();
  BringLateGrant(scene);
  CHECK(scene.GatesOpen() == std::vector<std::string>{scene.Primary()});
  scene.network().Heal();
  scene.Recovers();
  scene.Ends();
}

}  // namespace hsmops::test
