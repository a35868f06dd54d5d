#include "test/bench/cluster_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "cli/demo/daemon.h"
#include "libhsmops/agent/http_channel.h"
#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/live_api.h"
#include "libhsmops/net/curl_transport.h"
#include "test/bench/command.h"
#include "test/bench/measure.h"

namespace hsmops::bench {
namespace {

using cli::Daemon;

constexpr int kClients = 8;
constexpr std::size_t kValueBytes = 1024;
constexpr std::chrono::seconds kLoad{4};

double SecondsBetween(base::TimePoint from, base::TimePoint to) {
  return Seconds(to - from).count();
}

// Certificates, tokens, agents, a device and one manager, each a process.
class BenchCluster {
 public:
  explicit BenchCluster(const std::string& name, const std::vector<std::string>& nodes,
                        const std::function<void(cluster::FailoverSpec&)>& tune)
      : name_(name), folder_(kFolder + "/" + name) {
    Hsm({"certs", "init"});
    std::vector<std::string> init{"init"};
    for (const std::string& node : nodes) {
      Hsm({"certs", "issue", "--member", node});
      tokens_[node] = MakeToken(name + node);
      StartAgent(node);
      init.insert(init.end(),
                  {"--member", fmt::format("{}=https://{}", node, agents_.at(node).address())});
    }
    Hsm(init);
    Tune(tune);
    Hsm({"certs", "issue", "--manager", "m"});
    manager_.emplace(Start({"--local", folder_, "manager"}, "manager-m"));
    credentials_ = Must(
        net::CredentialSource::Open({folder_ + "/certs/cli/ca.crt", folder_ + "/certs/cli/tls.crt",
                                     folder_ + "/certs/cli/tls.key"},
                                    wall),
        "credentials");
    transport_.emplace(*credentials_, wall);
    AwaitThat(
        [&] { return Device().status.failure_tolerance == static_cast<int>(nodes.size()) - 1; },
        "every member in sync");
  }

  std::string Hsm(std::vector<std::string> words) { return bench::Hsm(folder_, std::move(words)); }

  void StartAgent(const std::string& node) {
    const auto before = agents_.find(node);
    const std::string listen = before == agents_.end() ? "127.0.0.1:0" : before->second.address();
    if (before != agents_.end()) agents_.erase(before);
    agents_.emplace(node, Start({"agent", "--token", tokens_.at(node).uri, "--state",
                                 folder_ + "/state-" + node, "--listen", listen},
                                "member-" + node));
  }

  cluster::HSMDevice Device() {
    auto resources = Must(cluster::DirectoryResourceStore::Open(folder_, wall, rng), "folder");
    return Must(cluster::Load<cluster::HSMDevice>(*resources, "default", "local"), "device");
  }

  std::unique_ptr<mirror::Member> MemberAt(const std::string& node) {
    return agent::ReachMember(*transport_, credentials_->Current()->identity().pool, node,
                              "https://" + agents_.at(node).address(), wall);
  }
  manager::LiveClient Client() {
    net::Peer peer;
    peer.url = "https://" + manager_->address();
    peer.identity =
        Must(net::Identity{credentials_->Current()->identity().pool, net::Role::kManager, "m"}.Id(),
             "identity");
    return {*transport_, peer, wall, "default", "local", std::chrono::seconds(40)};
  }

  Daemon& Agent(const std::string& node) { return agents_.at(node); }
  const Token& token(const std::string& node) const { return tokens_.at(node); }

 private:
  Daemon Start(std::vector<std::string> words, const std::string& who) {
    return Must(Daemon::Start(HSMOPS_CLI, WithCertificate(folder_, std::move(words), who),
                              kFolder + "/" + name_ + who + ".log", wall),
                "starting a process");
  }

  // Before a manager sees the device; R gets the D of the spec from the first one that does.
  void Tune(const std::function<void(cluster::FailoverSpec&)>& tune) {
    auto resources = Must(cluster::DirectoryResourceStore::Open(folder_, wall, rng), "folder");
    auto device = Must(cluster::Load<cluster::HSMDevice>(*resources, "default", "local"), "device");
    tune(device.spec.mirroring->failover);
    Must(cluster::Save(*resources, device), "tuning");
  }

  const std::string name_;
  const std::string folder_;
  std::map<std::string, Token> tokens_;
  std::map<std::string, Daemon> agents_;
  std::optional<Daemon> manager_;
  std::unique_ptr<net::CredentialSource> credentials_;
  std::optional<net::CurlTransport> transport_;
};

store::Write WriteOf(const std::string& name) {
  store::Keys keys;
  base::SecretBytes value;
  value.resize(kValueBytes);
  rng.Fill(std::span(value.data(), value.size()));
  keys.emplace("value", std::move(value));
  return {.name = Must(store::SecretName::Parse(name), "name"),
          .keys = std::move(keys),
          .op_id = rng.Array<16>()};
}

bool PutOne(manager::LiveClient& client, const std::string& name) {
  const auto stamp = client.TakeStamp();
  if (!stamp.ok()) return false;
  std::vector<store::Write> writes;
  writes.push_back(WriteOf(name));
  const auto put = client.Put(*stamp, writes);
  return put.ok() && put->front().ok();
}

// Writes until `fault` has happened and the first write after it was acknowledged: the time between
// the last acknowledgement before and that.
double Outage(BenchCluster& cluster, const std::function<void()>& fault) {
  manager::LiveClient client = cluster.Client();
  for (int i = 0; i < 20; ++i) AwaitThat([&] { return PutOne(client, "outage/w"); }, "a write");
  const base::TimePoint last = wall.Now();
  fault();
  AwaitThat([&] { return PutOne(client, "outage/w"); }, "a write after the fault");
  return SecondsBetween(last, wall.Now());
}

// The promotion itself, from the decision to the open gate.
double LastPromotion(BenchCluster& cluster) {
  const auto history = cluster.Device().status.history;
  if (history.empty() || !history.back().duration_ms) Give("no promotion is on record");
  return static_cast<double>(*history.back().duration_ms) / 1000;
}

void Outages() {
  {
    BenchCluster cluster("t", {"a", "b", "c"}, [](cluster::FailoverSpec&) {});
    const double out = Outage(cluster, [&] {
      std::filesystem::rename(cluster.token("a").folder + "/tokens",
                              cluster.token("a").folder + "/gone");
      std::filesystem::create_directory(cluster.token("a").folder + "/tokens");
    });
    Row("token dies, agent lives: to the first write on the new", out, 0, "<= 8 s", out <= 8);
    const double after = LastPromotion(cluster);
    Row("  of that after detection", after, 0, "<= 1.5 s", after <= 1.5);
  }
  {
    BenchCluster cluster("n", {"a", "b", "c"}, [](cluster::FailoverSpec&) {});
    const double out = Outage(cluster, [&] { cluster.Agent("a").Kill(); });
    Row("node dies (kill -9), defaults", out, 0, "<= 20 s", out <= 20);
  }
  BenchCluster cluster("q", {"a", "b", "c"}, [](cluster::FailoverSpec& failover) {
    failover.health_check_interval = std::chrono::milliseconds(500);
    failover.unhealthy_threshold = 2;
    failover.grant_duration = std::chrono::seconds(2);
  });
  // A promotion goes by the longest D that a grant may still have.
  auto old_grants_over = [&, since = wall.Now()] {
    return wall.Now() - since > std::chrono::seconds(15);
  };
  AwaitThat(old_grants_over, "old grants run out");
  const double out = Outage(cluster, [&] { cluster.Agent("a").Kill(); });
  Row("node dies (kill -9), interval 0.5 s x 2, D 2 s", out, 0, "<= 6 s", out <= 6);
}

std::string ManySecrets(int count) {
  const std::string path = kFolder + "/many.yaml";
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) Give("writing " + path);
  for (int i = 0; i < count; ++i)
    std::fprintf(file, "---\nkind: Secret\nmetadata: {name: many-%d}\nstringData: {v: \"%064d\"}\n",
                 i, i);
  std::fclose(file);
  return path;
}

void Planned(BenchCluster& cluster) {
  const std::string said = cluster.Hsm({"promote", "--to", "b"});
  const std::string mark = "writes stopped for ";
  const std::size_t at = said.find(mark);
  if (at == std::string::npos) Give("promote does not say how long writes were stopped");
  const auto stopped = Must(
      base::ParseDuration(said.substr(at + mark.size(), said.find('\n', at) - at - mark.size())),
      "how long writes were stopped");
  const double took = Seconds(stopped).count();
  Row("planned promotion, 1,000 secrets: writes stopped", took, 0, "<= 500 ms", took <= 0.5);
}

// So many a second, by eight at once; `latencies` of all of them.
double Rate(const std::function<bool(int client, int turn)>& work, std::vector<double>& latencies) {
  std::atomic<bool> stop{false};
  std::vector<std::vector<double>> each(kClients);
  std::vector<std::thread> threads;
  const base::TimePoint began = wall.Now();
  for (int client = 0; client < kClients; ++client) {
    threads.emplace_back([&, client] {
      for (int turn = 0; !stop; ++turn) {
        const base::TimePoint from = wall.Now();
        if (work(client, turn))
          each[static_cast<std::size_t>(client)].push_back(SecondsBetween(from, wall.Now()));
      }
    });
  }
  wall.SleepFor(kLoad);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const double took = SecondsBetween(began, wall.Now());
  for (const auto& some : each) latencies.insert(latencies.end(), some.begin(), some.end());
  std::sort(latencies.begin(), latencies.end());
  return static_cast<double>(latencies.size()) / took;
}

void Load(BenchCluster& cluster) {
  const Token raw_token = MakeToken("rawload");
  constexpr int kRaw = 2000;
  const double raw = kRaw / RunRaw(raw_token, "create", kRaw, kValueBytes).seconds;
  std::vector<double> latencies;
  const double writes = Rate(
      [&](int client, int turn) {
        thread_local std::optional<manager::LiveClient> own;
        thread_local std::optional<mirror::Stamp> stamp;
        if (!own) own.emplace(cluster.Client());
        if (!stamp || turn % 100 == 0) {
          if (const auto taken = own->TakeStamp(); taken.ok()) stamp = *taken;
        }
        std::vector<store::Write> one;
        one.push_back(WriteOf(fmt::format("load/{}-{}", client, turn % 100)));
        const auto put = own->Put(*stamp, one);
        return put.ok() && put->front().ok();
      },
      latencies);
  RateRow("acknowledged writes, one mirror, 8 clients", writes, raw, ">= 0.1 x",
          writes >= 0.1 * raw);

  const store::SecretName name = Must(store::SecretName::Parse("load/0-0"), "name");
  std::vector<double> read_latencies;
  const auto member = cluster.MemberAt("b");
  const double reads =
      Rate([&](int, int) { return member->Read(name, false).ok(); }, read_latencies);
  const double p99 = read_latencies.empty() ? 1 : read_latencies[read_latencies.size() * 99 / 100];
  RateRow("reads from a mirror, 8 clients", reads, 0, ">= 5,000/s", reads >= 5000);
  Row("  99 % of them within", p99, 0, "<= 10 ms", p99 <= 0.010);
}

// Of the mirror, with everything on its token and nothing to do.
void Memory(BenchCluster& cluster, int secrets) {
  const double raw = RunRaw(MakeToken("rawmemory"), "create", secrets, 256).megabytes;
  MemoryRow(fmt::format("memory of an agent with {} secrets", secrets),
            ResidentMegabytes(cluster.Agent("c").pid()), raw, 25);
}

// The mirror's agent is away while everything is written.
void NewMirror(BenchCluster& cluster, int secrets) {
  const Token raw_token = MakeToken("rawmirror");
  const double raw = RunRaw(raw_token, "create", secrets, 256).seconds;
  cluster.Agent("c").Kill();
  cluster.Hsm({"put", "-f", ManySecrets(secrets), "-o", "name", "--timeout", "10m"});
  cluster.StartAgent("c");
  const double took = Time([&] {
    const auto source = cluster.MemberAt("a");
    const auto target = cluster.MemberAt("c");
    AwaitThat(
        [&] {
          const auto left = source->Digest();
          const auto right = target->Digest();
          return left.ok() && right.ok() && left->root == right->root;
        },
        "the new mirror equal");
  });
  Row(fmt::format("full sync of {} secrets to a new mirror over TLS", secrets), took, raw,
      "<= 1.5 x", took <= 1.5 * raw);
}

}  // namespace

void FailingOver() { Outages(); }

void WritingAndReading() {
  BenchCluster cluster("l", {"a", "b"}, [](cluster::FailoverSpec&) {});
  Load(cluster);
}

void Promoting() {
  BenchCluster cluster("p", {"a", "b", "c"}, [](cluster::FailoverSpec&) {});
  cluster.Hsm({"put", "-f", ManySecrets(1000), "-o", "name"});
  Planned(cluster);
}

void Syncing(int secrets) {
  BenchCluster cluster("s", {"a", "b", "c"}, [](cluster::FailoverSpec&) {});
  NewMirror(cluster, secrets);
  Memory(cluster, secrets);
}

}  // namespace hsmops::bench
