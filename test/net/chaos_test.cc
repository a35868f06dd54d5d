// Faults by chance, one or two at a time: `./dev chaos --rounds N [--seed S]`. In the tests, one
// round.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <random>

#include "test/net/scene.h"

namespace hsmops::test {
namespace {

using Random = std::mt19937_64;
using End = std::function<void()>;

constexpr std::chrono::milliseconds kShortest{500};
constexpr std::chrono::milliseconds kLongest{15000};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <typename T>
T OneOf(const std::vector<T>& all, Random& random) {
  return all[random() % all.size()];
}

std::vector<std::string> Everybody(Scene& scene) {
  std::vector<std::string> all = scene.cluster().nodes();
  for (const int number : scene.cluster().managers())
    all.push_back(fmt::format("manager-{}", number));
  return all;
}

std::vector<std::string> Without(std::vector<std::string> all, const std::string& one) {
  std::erase(all, one);
  return all;
}

End KillOne(Scene& scene, Random& random) {
  const std::string who = OneOf(Everybody(scene), random);
  MESSAGE("kill ", who);
  scene.cluster().ProcessOf(who).Signal(SIGKILL);
  (void)scene.cluster().ProcessOf(who).Wait();
  return [&scene, who] {
    const std::string mark = "manager-";
    if (who.starts_with(mark)) {
      scene.cluster().StartManager(std::stoi(who.substr(mark.size())));
    } else {
      scene.cluster().StartAgent(who);
    }
  };
}

End StopOne(Scene& scene, Random& random) {
  const std::string who = OneOf(Everybody(scene), random);
  const std::string place = OneOf<std::string>(
      {"", "after-gate-check", "before-acknowledge", "after-swap", "after-fence-point"}, random);
  MESSAGE("stop ", who, " ", place.empty() ? "anywhere" : "at " + place);
  if (place.empty()) {
    scene.cluster().ProcessOf(who).Signal(SIGSTOP);
  } else {
    scene.cluster().Arm(who, place);  // it may never come there
  }
  return [&scene, who, place] {
    if (!place.empty()) scene.cluster().Disarm(who, place);
    scene.cluster().ProcessOf(who).Signal(SIGCONT);
  };
}

End CutOne(Scene& scene, Random& random) {
  const std::string who = OneOf(Everybody(scene), random);
  MESSAGE("cut ", who);
  scene.network().Cut({who}, Without(Everybody(scene), who));
  return [] {};
}

End CutOneWay(Scene& scene, Random& random) {
  const std::string from = OneOf(Everybody(scene), random);
  const std::string to = OneOf(Without(Everybody(scene), from), random);
  MESSAGE("cut from ", from, " to ", to);
  scene.network().CutOneWay({from}, {to});
  return [] {};
}

End LoseSome(Scene& scene, Random& random) {
  const std::string who = OneOf(Everybody(scene), random);
  const int percent = 5 + static_cast<int>(random() % 40);
  MESSAGE("lose ", percent, " % of what ", who, " is sent");
  for (const std::string& from : Without(Everybody(scene), who))
    scene.network().Lose(from, who, percent);
  return [] {};
}

void PlayRound(Random& random) {
  Scene scene;
  scene.Burden();
  std::vector<End> ends;
  // A second fault of the same process would be another one than was told: it is of the network.
  ends.push_back(OneOf<End (*)(Scene&, Random&)>({KillOne, StopOne, CutOne, CutOneWay, LoseSome},
                                                 random)(scene, random));
  if (random() % 2 == 0) {
    ends.push_back(
        OneOf<End (*)(Scene&, Random&)>({CutOne, CutOneWay, LoseSome}, random)(scene, random));
  }
  const auto range = static_cast<std::uint64_t>((kLongest - kShortest).count());
  scene.Lasts(kShortest + std::chrono::milliseconds(random() % range));
  scene.network().Heal();
  for (const End& end : ends) end();
  scene.Recovers();
  scene.Ends();
}

}  // namespace

TEST_CASE("chaos: faults by chance, and nothing that was acknowledged is lost") {
  const std::uint64_t rounds = FromEnvironment("KHSM_CHAOS_ROUNDS", 1);
  const std::uint64_t seed = FromEnvironment("KHSM_CHAOS_SEED", std::random_device{}());
  for (std::uint64_t round = 0; round < rounds; ++round) {
    // Which faults, and for how long; when exactly they meet whom no seed can say.
    MESSAGE("round ", round + 1, " of ", rounds, ": KHSM_CHAOS_SEED=", seed + round);
    Random random(seed + round);
    PlayRound(random);
  }
}

}  // namespace hsmops::test
