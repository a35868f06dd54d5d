// Cluster: agents, managers and clients of one device, as the production code runs them, over
// simulated seams; and what a checker may look at without asking that code.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/agent/replicating_agent.h"
#include "libhsmops/agent/routes.h"
#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/election.h"
#include "libhsmops/manager/grant_relay.h"
#include "libhsmops/manager/live_api.h"
#include "test/sim/seams.h"
#include "test/sim/sim_token.h"

namespace hsmops::sim {

inline constexpr const char* kNamespace = "default";
inline constexpr const char* kDevice = "local";
inline constexpr const char* kTrustDomain = "local.pool";

struct ClusterOptions {
  int nodes = 3;
  int managers = 3;
  double rho = 0.05;                     // clock rates lie within 1 ± rho;
  bool far_rates = false;                // agents' are the lowest, managers' the highest
  std::chrono::seconds grant{4};         // D
  int slow_calls = 5;                    // of a hundred calls to a token
  std::chrono::milliseconds turn{1000};  // between two turns of a controller,
  bool at_once = false;                  // and none after one that acted, as RunManager has it
  std::function<void(cluster::HSMDevice&)> shape;  // the device, before it is made
  // Called with each turn's sentence; must not block.
  std::function<void(const std::string& manager, const std::string& sentence)> told;
};

class Cluster;

// One node: a token and a host that survive, and an agent that does not.
class AgentHost {
 public:
  AgentHost(Cluster& cluster, int number);
  void Start();
  void Kill(bool lose_unsynced);

  const std::string& node() const { return node_; }
  Process& process() { return process_; }
  SimClock& clock() { return clock_; }
  token::MemoryToken& memory() { return memory_; }
  store::Uid uid() const;
  std::uint64_t life() const { return process_.life; }
  bool GateOpen() const { return process_.running && life_->agent.GateOpen(); }
  // The highest epoch that it has seen, as it remembers it.
  store::Epoch epoch() const {
    return process_.running ? life_->ledger.state().epoch : disk_.state().epoch;
  }
  // Makes the token a member, before anything runs.
  void Initialize(const store::Term& term);
  // Another token is plugged in: an empty one, or a member's of another pool.
  void EmptyToken();
  void ForeignToken();
  // It is not the token of Initialize any more.
  bool stranger() const { return lost_.has_value(); }
  // The greatest version of each secret whose head is on the token, by label.
  std::map<store::Id, store::Version> Held() const;
  // The same, and a token that died counts as holding what it held.
  std::map<store::Id, store::Version> HeldOrLost() const;
  std::set<std::pair<store::Id, store::Version>> Quarantined() const;

 private:
  struct Life {
    Life(AgentHost& host, store::Ledger found);
    store::Ledger ledger;
    SimToken token;
    SimTransport transport;
    SimExecutor executor;
    agent::ReplicatingAgent agent;
    agent::Routes routes;
  };

  Cluster& cluster_;
  std::string node_;
  Process process_;
  SimClock clock_;
  SimRng rng_;
  token::MemoryToken memory_;
  std::optional<std::map<store::Id, store::Version>> lost_;  // on the token that was here before
  store::Ledger disk_ = store::Ledger::InMemory();           // what the next life finds
  std::vector<std::unique_ptr<Life>> lives_;                 // those before may still be ending
  Life* life_ = nullptr;
};

class ManagerHost {
 public:
  ManagerHost(Cluster& cluster, int number);
  void Start();
  void Kill();

  const std::string& name() const { return name_; }
  Process& process() { return process_; }
  SimClock& clock() { return clock_; }
  SimResources& resources() { return resources_; }
  const std::string& last_reason() const { return reason_; }
  bool leads() const { return process_.running && life_ != nullptr && life_->election.Leads(); }

 private:
  struct Life {
    Life(ManagerHost& host, std::uint64_t number);
    SimTransport transport;
    SimExecutor executor;
    manager::World world;
    manager::Election election;
    manager::GrantRelay relay;
    manager::Controller controller;
    manager::Fronts fronts;
    manager::LiveApi live;
  };
  void Elect(Life& life);
  void Relay(Life& life);
  void Control(Life& life);

  Cluster& cluster_;
  std::string name_;
  Process process_;
  SimClock clock_;
  SimRng rng_;
  SimResources resources_;
  std::vector<std::unique_ptr<Life>> lives_;
  Life* life_ = nullptr;
  std::string reason_;
};

class Cluster {
 public:
  Cluster(Scheduler& scheduler, const ClusterOptions& options);

  // Makes the device and its arbiter, initialises every token and starts everybody.
  void Begin();

  Scheduler& scheduler() { return scheduler_; }
  SimNetwork& network() { return network_; }
  cluster::MemoryResourceStore& shared() { return *shared_; }
  std::uint64_t& store_writes() { return store_writes_; }
  const ClusterOptions& options() const { return options_; }
  std::vector<std::unique_ptr<AgentHost>>& agents() { return agents_; }
  std::vector<std::unique_ptr<ManagerHost>>& managers() { return managers_; }
  const store::Uid& pool() const { return pool_; }
  std::optional<cluster::HSMDevice> Device();
  // R as it is, whoever may see it.
  std::optional<cluster::Arbiter> Arbiter();
  // A client of manager `number`.
  std::unique_ptr<manager::LiveClient> Client(net::Transport& transport, base::Clock& clock,
                                              int manager);
  double Rate();  // of a clock that nobody chose
  double AgentRate() { return options_.far_rates ? 1 - options_.rho : Rate(); }
  double ManagerRate() { return options_.far_rates ? 1 + options_.rho : Rate(); }

 private:
  void MakeDevice();

  Scheduler& scheduler_;
  const ClusterOptions options_;
  SimNetwork network_;
  SimClock world_clock_;
  SimRng world_rng_;
  std::unique_ptr<cluster::MemoryResourceStore> shared_;
  std::uint64_t store_writes_ = 0;
  store::Uid pool_{};
  std::vector<std::unique_ptr<AgentHost>> agents_;
  std::vector<std::unique_ptr<ManagerHost>> managers_;
};

}  // namespace hsmops::sim
