// What is cut, lost or late on the network under load, and what is left of it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "test/net/plots.h"

namespace hsmops::test {
namespace {

constexpr std::chrono::seconds kLong{6};  // longer than D and than three missed probes

const std::vector<std::string> kManagers{"manager-1", "manager-2", "manager-3"};

}  // namespace

TEST_CASE("under load the Primary is cut from all managers: another takes over, and it obeys") {
  Scene scene;
  scene.Burden();
  const std::string primary = scene.Primary();
  scene.network().Cut({primary}, kManagers);
  scene.Until("another is the Primary", [&] { return scene.Primary() != primary; });
  scene.Burden();
  scene.network().Heal();
  scene.Recovers();
  scene.Ends();
}

TEST_CASE("under load the Primary is cut from its mirrors, one way and then the other") {
  Scene scene;
  for (const bool outward : {true, false}) {
    scene.Burden();
    const std::string primary = scene.Primary();
    const std::vector<std::string> mirrors = scene.OthersThan(primary);
    if (outward) {
      scene.network().CutOneWay({primary}, mirrors);
    } else {
      scene.network().CutOneWay(mirrors, {primary});
    }
    scene.Lasts(kLong);
    scene.network().Heal();
    scene.Recovers();
    scene.UntilWhole();
  }
  scene.Ends();
}

TEST_CASE("under load one mirror is cut from everybody: writes go on without it") {
  Scene scene;
  scene.Burden();
  const std::string mirror = scene.OthersThan(scene.Primary()).front();
  std::vector<std::string> others = scene.OthersThan(mirror);
  others.insert(others.end(), kManagers.begin(), kManagers.end());
  others.push_back("client");
  scene.network().Cut({mirror}, others);
  scene.Recovers();
  scene.Burden();
  scene.network().Heal();
  scene.Ends();
}

// The manager on the Primary's side still reaches R, which is a folder here, so it goes on renewing
// the grant until the fencing point.
TEST_CASE("under load the Primary and one manager are apart from all others, clients see both") {
  Scene scene;
  scene.Burden();
  const std::string primary = scene.Primary();
  const std::string beside = fmt::format("manager-{}", scene.Leader() % 3 + 1);
  std::vector<std::string> others = scene.OthersThan(primary);
  for (const std::string& manager : kManagers) {
    if (manager != beside) others.push_back(manager);
  }
  scene.network().Cut({primary, beside}, others);
  scene.Until("another is the Primary", [&] { return scene.Primary() != primary; });
  scene.Burden();
  scene.network().Heal();
  scene.Recovers();
  scene.Ends();
}

TEST_CASE(
    "under load the Primary refuses the leader alone, while others go on renewing its grant") {
  Scene scene;
  scene.Burden();
  RefuseTheLeader(scene);
  scene.Recovers();
  scene.Ends();
}

TEST_CASE("under load every fifth packet is lost between everybody") {
  Scene scene;
  scene.Burden();
  std::vector<std::string> all = scene.cluster().nodes();
  all.insert(all.end(), kManagers.begin(), kManagers.end());
  all.push_back("client");
  for (const std::string& from : all) {
    for (const std::string& to : all) {
      if (from != to) scene.network().Lose(from, to, 20);
    }
  }
  scene.Lasts(kLong);
  scene.network().Heal();
  scene.Recovers();
  scene.Ends();
}

TEST_CASE("under load what agents are told comes 300 ms late, and so do their answers") {
  Scene scene({.relayed = true, .env = {}});
  scene.Burden();
  scene.Delay(std::chrono::milliseconds(300));
  scene.Lasts(kLong);
  scene.Recovers();
  scene.Delay(std::chrono::milliseconds(0));
  scene.Burden();
  scene.Ends();
}

}  // namespace hsmops::test
