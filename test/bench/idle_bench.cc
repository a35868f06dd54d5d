#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <regex>
#include <sstream>
#include <vector>

#include "cli/demo/daemon.h"
#include "libhsmops/agent/http_channel.h"
#include "libhsmops/agent/replicating_agent.h"
#include "libhsmops/agent/routes.h"
#include "libhsmops/agent/server.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/net/curl_transport.h"
#include "libhsmops/net/http_server.h"
#include "libhsmops/token/memory_token.h"
#include "test/bench/cluster_bench.h"
#include "test/bench/command.h"
#include "test/bench/measure.h"

namespace hsmops::bench {
namespace {

constexpr int kNodes = 3;
constexpr std::chrono::seconds kSettle{5};
constexpr std::chrono::seconds kMeasured{20};
constexpr double kTurnLimit = 0.050;
constexpr double kMemoryLimit = 60;

// What `kubectl-hsm agent` runs, on a token in memory, and in this process with all the others.
class SimulatedAgent {
 public:
  SimulatedAgent(const std::string& folder, const std::string& node)
      : token_({node, "khsm", "memory", node}, token::kSoftHsm, rng) {
    const std::string certs = folder + "/certs/member-" + node;
    credentials_ = Must(net::CredentialSource::Open(
                            {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"}, wall),
                        "credentials");
    const std::string trust_domain = credentials_->Current()->identity().pool;
    const store::Uid pool = agent::PoolUidOf(trust_domain);
    transport_.emplace(*credentials_, wall);
    agent_.emplace(pool, store::MemberUid(pool, node), node, token_, ledger_, wall, rng, executor,
                   [this, trust_domain](const store::Uid&, const mirror::PeerAddress& address) {
                     return agent::ReachMember(*transport_, trust_domain, address.node, address.url,
                                               wall);
                   });
    routes_.emplace(*agent_);
    net::ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.io_threads = 1;
    config.lanes = {{"at-once", 1, 64},
                    {"waiting", 1, 64},
                    {"token", 1, 64},
                    {"turns", 1, 4},
                    {"changes", 1, 8}};
    config.limits.admission.requests_per_identity = {20'000, 20'000};
    server_ =
        Must(net::HttpServer::Start(
                 std::move(config), *credentials_, wall,
                 [this](const net::Received& head) { return routes_->Find(head); },
                 [node](const std::string& line) { std::cerr << node << ": " << line << "\n"; }),
             "an agent's server");
  }

  std::string url() const { return "https://" + server_->address(); }

 private:
  std::unique_ptr<net::CredentialSource> credentials_;
  token::MemoryToken token_;
  store::Ledger ledger_ = store::Ledger::InMemory();
  std::optional<net::CurlTransport> transport_;
  std::optional<agent::ReplicatingAgent> agent_;
  std::optional<agent::Routes> routes_;
  std::unique_ptr<net::HttpServer> server_;
};

struct Turns {
  double count = 0;
  double seconds = 0;
  double within = 0;  // the limit

  friend Turns operator-(const Turns& a, const Turns& b) {
    return {a.count - b.count, a.seconds - b.seconds, a.within - b.within};
  }
};

// Of all devices together, from the manager's metrics.
Turns TurnsIn(const std::string& metrics) {
  static const std::regex kLine(
      R"(hsm_controller_turn_duration_seconds_(count|sum|bucket)\{([^}]*)\} (\S+))");
  Turns turns;
  std::istringstream lines(metrics);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (!std::regex_match(line, match, kLine)) continue;
    const double value = std::stod(match[3]);
    if (match[1] == "count") turns.count += value;
    if (match[1] == "sum") turns.seconds += value;
    if (match[1] == "bucket" && match[2].str().ends_with(R"(le="0.05")")) turns.within += value;
  }
  return turns;
}

class IdleCluster {
 public:
  explicit IdleCluster(int devices) : folder_(kFolder + "/idle"), devices_(devices) {
    Hsm(folder_, {"certs", "init"});
    for (int device = 0; device < devices; ++device) MakeDevice(fmt::format("hsm-{}", device));
    Hsm(folder_, {"certs", "issue", "--manager", "m"});
    manager_.emplace(Must(
        cli::Daemon::Start(HSMOPS_CLI,
                           WithCertificate(folder_, {"--local", folder_, "manager"}, "manager-m"),
                           kFolder + "/idle.log", wall),
        "starting a manager"));
    const std::string certs = folder_ + "/certs/cli";
    credentials_ = Must(net::CredentialSource::Open(
                            {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"}, wall),
                        "credentials");
    transport_.emplace(*credentials_, wall);
    AwaitThat([&] { return Whole() == devices_; }, "every device whole");
  }

  // The manager answers who belongs to its pool.
  Turns TurnsSoFar() {
    net::Peer peer;
    peer.url = "https://" + manager_->address();
    peer.identity =
        Must(net::Identity{credentials_->Current()->identity().pool, net::Role::kManager, "m"}.Id(),
             "identity");
    net::Request request;
    request.method = "GET";
    request.path = "/metrics";
    request.deadline = wall.Now() + std::chrono::seconds(10);
    request.max_answer_bytes = std::size_t{16} << 20;
    const auto answer = Must(transport_->Call(peer, std::move(request)), "metrics");
    return TurnsIn({answer.body.view().begin(), answer.body.view().end()});
  }

  // Devices that would outlive the loss of two nodes.
  int Whole() {
    wall.SleepFor(std::chrono::milliseconds(500));  // a look costs the manager time, too
    auto resources = Must(cluster::DirectoryResourceStore::Open(folder_, wall, rng), "folder");
    const auto all = Must(cluster::LoadAll<cluster::HSMDevice>(*resources, "default"), "devices");
    return static_cast<int>(std::ranges::count_if(all.items, [](const cluster::HSMDevice& device) {
      return device.status.failure_tolerance == kNodes - 1;
    }));
  }

  pid_t manager() const { return manager_->pid(); }

 private:
  void MakeDevice(const std::string& name) {
    std::vector<std::string> init{"init", "--device", name};
    for (int i = 0; i < kNodes; ++i) {
      const std::string node = fmt::format("{}-{}", name, static_cast<char>('a' + i));
      Hsm(folder_, {"certs", "issue", "--member", node});
      agents_.push_back(std::make_unique<SimulatedAgent>(folder_, node));
      init.insert(init.end(), {"--member", fmt::format("{}={}", node, agents_.back()->url())});
    }
    Hsm(folder_, init);
  }

  const std::string folder_;
  const int devices_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::optional<cli::Daemon> manager_;
  std::unique_ptr<net::CredentialSource> credentials_;
  std::optional<net::CurlTransport> transport_;
};

}  // namespace

void Idling(int devices) {
  IdleCluster cluster(devices);
  wall.SleepFor(kSettle);
  const Turns before = cluster.TurnsSoFar();
  const double processor_before = ProcessorSeconds(cluster.manager());
  const double seconds = Time([] { wall.SleepFor(kMeasured); });
  const double processor = ProcessorSeconds(cluster.manager()) - processor_before;
  const Turns turns = cluster.TurnsSoFar() - before;
  const double memory = ResidentMegabytes(cluster.manager());
  if (cluster.Whole() != devices) Give("a device is not whole after the measurement");
  if (turns.count < devices * seconds / 4) Give("too few turns to judge by");
  const double mean = turns.seconds / turns.count;
  Row(fmt::format("idle manager, {} devices x 3: a turn", devices), mean, 0, "<= 50 ms",
      mean <= kTurnLimit);
  const double share = turns.within / turns.count;
  std::printf("%-58s %9.2f %% of %.0f turns, %.1f a second; the manager takes %.0f %% of a core\n",
              "  turns of at most 50 ms", share * 100, turns.count, turns.count / seconds,
              processor / seconds * 100);
  MemoryRow("  its memory", memory, 0, kMemoryLimit);
}

}  // namespace hsmops::bench
