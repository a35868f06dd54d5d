#include "test/net/scene.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

namespace hsmops::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLeastRate = 20;  // acknowledged writes a second
constexpr seconds kMeasured{2};
constexpr std::size_t kAgain = 40;  // so many acknowledgements are a recovery
constexpr milliseconds kLook{100};

}  // namespace

Scene::Scene(SceneOptions options)
    : network_({"a", "b", "c", "manager-1", "manager-2", "manager-3", "client", "relay"}) {
  NetOptions net{.network = &network_, .brisk = true, .env = std::move(options.env)};
  const std::vector<std::string> nodes{"a", "b", "c"};
  for (const std::string& node : nodes) {
    if (!options.relayed) continue;
    relays_[node] = std::make_unique<Relay>(network_, "relay", network_.AddressOf(node) + ":9443");
    net.fronts[node] = relays_[node]->address();
  }
  cluster_ = std::make_unique<NetCluster>(nodes, 3, std::move(net));
  UntilWhole();
  load_ = std::make_unique<Load>(*cluster_, network_, history_);
}

void Scene::UntilWhole() { REQUIRE(cluster_->Becomes({"status"}, "tolerates 2 more")); }

void Scene::Delay(milliseconds delay) {
  for (const auto& [node, relay] : relays_) relay->Delay(delay);
}

void Scene::Burden() {
  Until("a first write is acknowledged",
        [&] { return history_.AcknowledgedSince({}) > Load::kClients; });
  const base::TimePoint begin = clock_.Now();
  clock_.SleepFor(kMeasured);
  const std::size_t rate = history_.AcknowledgedSince(begin) / kMeasured.count();
  MESSAGE(rate, " acknowledged writes a second");
  REQUIRE_MESSAGE(rate >= kLeastRate, "the run is void: ", rate, " writes a second");
}

void Scene::Recovers() {
  const base::TimePoint end = clock_.Now();
  Until("writes are acknowledged again", [&] { return history_.AcknowledgedSince(end) >= kAgain; });
  MESSAGE("recovered after ", std::chrono::duration<double>(clock_.Now() - end).count(), " s");
}

bool Scene::AllEqual() {
  std::set<base::Digest> digests;
  for (const std::string& node : cluster_->nodes()) {
    const auto inventory = load_->InventoryOf(node);
    if (!inventory.ok()) return false;
    digests.insert(inventory->digest.root);
  }
  return digests.size() == 1;
}

std::vector<std::string> Scene::EndsWith() {
  load_->Stop();
  Until("everybody holds the same", [&] { return AllEqual(); });
  UntilWhole();
  const auto attempts = history_.attempts();
  const auto floor = Floor(attempts);
  MESSAGE(attempts.size(), " attempts, ", history_.AcknowledgedSince({}), " acknowledged, of ",
          floor.size(), " names");
  std::vector<std::string> wrong = Contradictions(attempts);
  for (const std::string& node : cluster_->nodes()) {
    const auto inventory = load_->InventoryOf(node);
    REQUIRE(inventory.ok());
    std::map<std::string, store::Version> held;
    for (const store::InventoryItem& item : inventory->items) held[item.name] = item.version;
    for (const std::string& missing : Missing(floor, held)) wrong.push_back(node + ": " + missing);
  }
  return wrong;
}

void Scene::Ends() {
  for (const std::string& sentence : EndsWith()) FAIL_CHECK(sentence);
}

std::vector<std::string> Scene::GatesOpen() {
  std::vector<std::string> open;
  for (const std::string& node : cluster_->nodes()) {
    const auto pulse = load_->PulseOf(node);
    if (pulse.ok() && pulse->gate_open) open.push_back(node);
  }
  return open;
}

std::string Scene::Primary() {
  std::string primary;
  Until("a gate is open", [&] {
    const auto open = GatesOpen();
    if (!open.empty()) primary = open.front();
    return !open.empty();
  });
  return primary;
}

int Scene::Leader() {
  Until("somebody leads", [&] { return cluster_->Leader() != 0; });
  return cluster_->Leader();
}

void Scene::Until(const std::string& what, const std::function<bool()>& holds, seconds limit) {
  const base::TimePoint end = clock_.Now() + limit;
  while (!holds()) {
    REQUIRE_MESSAGE(clock_.Now() < end, "not within ", limit.count(), " s: ", what);
    clock_.SleepFor(kLook);
  }
}

std::vector<std::string> Scene::OthersThan(const std::string& node) {
  std::vector<std::string> others;
  for (const std::string& other : cluster_->nodes()) {
    if (other != node) others.push_back(other);
  }
  return others;
}

}  // namespace hsmops::test
