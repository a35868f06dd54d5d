// Scene: three agents and three managers under load in a network of the test's own, and what is
// asked of them before a fault, after it and in the end.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "test/net/load.h"
#include "test/net/relay.h"

namespace hsmops::test {

struct SceneOptions {
  bool relayed = false;                    // every agent is reached through a Relay
  std::map<std::string, std::string> env;  // of every agent and manager
};

class Scene {
 public:
  explicit Scene(SceneOptions options = {});

  // Before a fault: at least twenty writes a second are acknowledged, or the run is void.
  void Burden();
  // After its end: writes are acknowledged again, within a minute.
  void Recovers();
  // S is whole, as it was at the beginning, while the load goes on.
  void UntilWhole();
  // The load ends; within a minute everybody holds the same and S is whole. Then no client was told
  // anything that cannot be, and everything acknowledged is on the Primary and on all of S.
  void Ends();
  // The same, but what cannot be is handed out.
  std::vector<std::string> EndsWith();

  // Whose gate is open, waited for.
  std::string Primary();
  std::vector<std::string> GatesOpen();
  int Leader();
  // Waits until this holds; fails with `what` after `limit`.
  void Until(const std::string& what, const std::function<bool()>& holds,
             std::chrono::seconds limit = std::chrono::seconds(60));
  // How long a fault lasts.
  void Lasts(std::chrono::milliseconds duration) { clock_.SleepFor(duration); }

  void Delay(std::chrono::milliseconds delay);

  NetCluster& cluster() { return *cluster_; }
  Network& network() { return network_; }
  History& history() { return history_; }
  std::vector<std::string> OthersThan(const std::string& node);

 private:
  bool AllEqual();

  base::SystemClock clock_;
  Network network_;
  std::map<std::string, std::unique_ptr<Relay>> relays_;  // by the agent behind it
  History history_;
  std::unique_ptr<NetCluster> cluster_;
  std::unique_ptr<Load> load_;
};

}  // namespace hsmops::test
