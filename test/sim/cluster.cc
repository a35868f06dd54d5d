#include "test/sim/cluster.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/base/check.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/store/label.h"

namespace hsmops::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr token::Profile kFiles{"softhsm", 1024, 4096, token::Proof::kFiles, 0};
constexpr milliseconds kCollectPeriod{3000};
constexpr milliseconds kElectPeriod{1000};
constexpr milliseconds kRelayPeriod{200};
constexpr seconds kLivePatience{20};

net::SpiffeId ManagerId(const std::string& name) {
  return *net::Identity{kTrustDomain, net::Role::kManager, name}.Id();
}

net::Reply Answer(std::variant<net::Route, net::Reply> found, net::Received&& received) {
  if (auto* refused = std::get_if<net::Reply>(&found)) return std::move(*refused);
  return std::get<net::Route>(found).handle(std::move(received));
}

}  // namespace

// --- agents --------------------------------------------------------------------------------------

AgentHost::Life::Life(AgentHost& host, store::Ledger found)
    : ledger(std::move(found)),
      token(host.cluster_.scheduler(), host.memory_, host.cluster_.options().slow_calls),
      transport(host.cluster_.network(), host.node_, {kTrustDomain, net::Role::kMember, host.node_},
                host.clock_),
      executor(host.cluster_.scheduler(), host.process_),
      agent(host.cluster_.pool(), host.uid(), host.node_, token, ledger, host.clock_, host.rng_,
            executor,
            [this, &host](const store::Uid&, const mirror::PeerAddress& address) {
              return agent::ReachMember(transport, kTrustDomain, address.node, address.url,
                                        host.clock_);
            }),
      routes(agent) {}

AgentHost::AgentHost(Cluster& cluster, int number)
    : cluster_(cluster),
      node_(fmt::format("node-{}", number)),
      process_{node_},
      clock_(cluster.scheduler(), cluster.AgentRate(),
             seconds(1000 + cluster.scheduler().Below(1000))),
      rng_(cluster.scheduler()),
      memory_({"khsm", "nobody", "memory", fmt::format("serial-{}", number)}, kFiles, rng_) {}

store::Uid AgentHost::uid() const { return manager::MemberUid(cluster_.pool(), node_); }

void AgentHost::Start() {
  HSM_CHECK(!process_.running);
  lives_.push_back(std::make_unique<Life>(*this, disk_.InMemoryCopy()));
  life_ = lives_.back().get();
  process_.running = true;
  Scheduler& scheduler = cluster_.scheduler();
  cluster_.network().Serve(node_, process_, [life = life_](net::Received&& received) {
    auto found = life->routes.Find(received);
    return Answer(std::move(found), std::move(received));
  });
  scheduler.Spawn(&process_, [this, life = life_, &scheduler] {
    while (!scheduler.dead()) {
      clock_.SleepFor(kCollectPeriod);
      (void)life->agent.Collect(milliseconds(50));
    }
  });
}

void AgentHost::Kill(bool lose_unsynced) {
  if (!process_.running) return;
  // What is there now, not what this life may still think it writes.
  disk_ = life_->ledger.InMemoryCopy();
  cluster_.scheduler().Kill(process_);
  memory_.Crash(lose_unsynced);
}

void AgentHost::Initialize(const store::Term& term) {
  store::Ledger ledger = store::Ledger::InMemory();
  agent::Agent blank(cluster_.pool(), uid(), memory_, ledger, clock_, rng_);
  HSM_CHECK(blank.Initialize(term, false).ok());
  disk_ = ledger.InMemoryCopy();
}

void AgentHost::EmptyToken() {
  if (!lost_) lost_ = Held();
  memory_.Unplug();  // whoever has it open notices
  memory_.Wipe();
  memory_.Replug();
}

void AgentHost::ForeignToken() {
  EmptyToken();
  memory_.SetIdentity({"khsm", "nobody", "memory", "serial-elsewhere"});
  const store::Uid pool = rng_.Array<16>();
  store::Ledger ledger = store::Ledger::InMemory();
  agent::Agent blank(pool, manager::MemberUid(pool, node_), memory_, ledger, clock_, rng_);
  HSM_CHECK(blank.Initialize({{1, 1}, 1}, false).ok());
  memory_.Unplug();  // that view was another host's
  memory_.Replug();
}

std::map<store::Id, store::Version> AgentHost::Held() const {
  std::map<store::Id, store::Version> held;
  for (const std::string& text : memory_.Labels()) {
    const auto label = store::Label::Parse(text);
    if (!label || label->kind != store::Label::Kind::kHead) continue;
    store::Version& version = held[label->id];
    version = std::max(version, label->version);
  }
  return held;
}

std::map<store::Id, store::Version> AgentHost::HeldOrLost() const {
  std::map<store::Id, store::Version> held = Held();
  for (const auto& [id, version] : lost_.value_or(std::map<store::Id, store::Version>{}))
    held[id] = std::max(held[id], version);
  return held;
}

std::set<std::pair<store::Id, store::Version>> AgentHost::Quarantined() const {
  std::set<std::pair<store::Id, store::Version>> aside;
  for (const std::string& text : memory_.Labels()) {
    const auto label = store::Label::Parse(text);
    if (label && label->kind == store::Label::Kind::kQuarantine)
      aside.emplace(label->id, label->version);
  }
  return aside;
}

// --- managers ------------------------------------------------------------------------------------

ManagerHost::Life::Life(ManagerHost& host, std::uint64_t number)
    : transport(host.cluster_.network(), host.name_,
                {kTrustDomain, net::Role::kManager, host.name_}, host.clock_),
      executor(host.cluster_.scheduler(), host.process_),
      world{host.resources_,
            host.clock_,
            host.rng_,
            executor,
            [this, &host](const std::string& node, const std::string& endpoint, const store::Uid&,
                          const store::Uid&) -> std::unique_ptr<mirror::Member> {
              return agent::ReachMember(transport, kTrustDomain, node, endpoint, host.clock_);
            },
            {},
            failover::Managers::kLead},
      election(host.resources_, host.clock_,
               {kNamespace, "hsm-manager", fmt::format("{}.{}", host.name_, number),
                "https://" + host.name_}),
      controller(world, kNamespace, kDevice),
      fronts(world),
      live(fronts) {}

ManagerHost::ManagerHost(Cluster& cluster, int number)
    : cluster_(cluster),
      name_(fmt::format("manager-{}", number)),
      process_{name_},
      clock_(cluster.scheduler(), cluster.ManagerRate(),
             seconds(1000 + cluster.scheduler().Below(1000))),
      rng_(cluster.scheduler()),
      resources_(cluster.scheduler(), cluster.shared(), cluster.store_writes()) {}

void ManagerHost::Start() {
  HSM_CHECK(!process_.running);
  lives_.push_back(std::make_unique<Life>(*this, process_.life));
  life_ = lives_.back().get();
  process_.running = true;
  Scheduler& scheduler = cluster_.scheduler();
  cluster_.network().Serve(name_, process_, [life = life_](net::Received&& received) {
    auto found = life->live.Find(received);
    return Answer(std::move(found), std::move(received));
  });
  scheduler.Spawn(&process_, [this, life = life_] { Elect(*life); });
  scheduler.Spawn(&process_, [this, life = life_] { Relay(*life); });
  scheduler.Spawn(&process_, [this, life = life_] { Control(*life); });
}

void ManagerHost::Kill() {
  if (process_.running) cluster_.scheduler().Kill(process_);
}

void ManagerHost::Elect(Life& life) {
  while (!cluster_.scheduler().dead()) {
    (void)life.election.Step();  // the next one looks again
    clock_.SleepFor(kElectPeriod);
  }
}

void ManagerHost::Relay(Life& life) {
  std::unique_ptr<manager::Pool> pool;
  while (!cluster_.scheduler().dead()) {
    clock_.SleepFor(kRelayPeriod);
    if (!pool) {
      auto opened = manager::Pool::Open(life.world, kNamespace, kDevice);
      if (!opened.ok()) continue;
      pool = *std::move(opened);
    }
    (void)life.relay.Relay(*pool, life.election.Leads());
  }
}

void ManagerHost::Control(Life& life) {
  const ClusterOptions& options = cluster_.options();
  Duration period = options.turn;
  while (!cluster_.scheduler().dead()) {
    clock_.SleepFor(period);
    period = options.turn;
    if (!life.election.Leads()) {
      life.controller.Rest();
      continue;
    }
    const manager::Turned turned = life.controller.Turn();
    if (cluster_.scheduler().dead()) return;
    reason_ = turned.reason;
    if (options.told) options.told(name_, reason_);
    if (turned.acted && options.at_once) period = Duration(0);
  }
}

// --- all of it -----------------------------------------------------------------------------------

Cluster::Cluster(Scheduler& scheduler, const ClusterOptions& options)
    : scheduler_(scheduler),
      options_(options),
      network_(scheduler),
      world_clock_(scheduler, 1.0, seconds(1)),
      world_rng_(scheduler),
      shared_(std::make_unique<cluster::MemoryResourceStore>(world_clock_, world_rng_)) {
  MakeDevice();
  for (int i = 1; i <= options.nodes; ++i) agents_.push_back(std::make_unique<AgentHost>(*this, i));
  for (int i = 1; i <= options.managers; ++i)
    managers_.push_back(std::make_unique<ManagerHost>(*this, i));
}

double Cluster::Rate() {
  return 1.0 + options_.rho * (static_cast<double>(scheduler_.Below(2001)) - 1000) / 1000;
}

void Cluster::MakeDevice() {
  cluster::HSMDevice device;
  device.metadata.ns = kNamespace;
  device.metadata.name = kDevice;
  device.spec.mirroring.emplace();
  cluster::MirroringSpec& mirroring = *device.spec.mirroring;
  mirroring.primary_node = "node-1";
  for (int i = 1; i <= options_.nodes; ++i)
    mirroring.endpoints[fmt::format("node-{}", i)] = fmt::format("https://node-{}", i);
  mirroring.sync_interval = seconds(10);
  mirroring.failover.health_check_interval = seconds(1);
  mirroring.failover.unhealthy_threshold = 2;
  mirroring.failover.grant_duration = options_.grant;
  mirroring.failover.min_interval = seconds(0);
  if (options_.shape) options_.shape(device);
  const auto made = cluster::CreateNew(*shared_, device);
  HSM_CHECK(made.ok());
  base::SequentialExecutor executor;
  manager::World world{*shared_, world_clock_, world_rng_, executor, {}};
  HSM_CHECK(manager::CreateArbiterFor(world, *made).ok());
  pool_ = *store::ParseUid(Arbiter()->pool_uid);
}

std::optional<cluster::Arbiter> Cluster::Arbiter() {
  auto r = cluster::ReadArbiter(*shared_, kNamespace, kDevice);
  if (!r.ok()) return std::nullopt;
  return r->value;
}

std::optional<cluster::HSMDevice> Cluster::Device() {
  auto device = cluster::Load<cluster::HSMDevice>(*shared_, kNamespace, kDevice);
  if (!device.ok()) return std::nullopt;
  return *std::move(device);
}

void Cluster::Begin() {
  const cluster::Arbiter r = *Arbiter();
  const store::Term term{{r.epoch.counter, r.epoch.nonce}, r.generation};
  for (const auto& host : agents_) host->Initialize(term);
  for (const auto& host : agents_) host->Start();
  for (const auto& host : managers_) host->Start();
}

std::unique_ptr<manager::LiveClient> Cluster::Client(net::Transport& transport, base::Clock& clock,
                                                     int manager) {
  const std::string name = fmt::format("manager-{}", manager);
  return std::make_unique<manager::LiveClient>(transport,
                                               net::Peer{"https://" + name, ManagerId(name)}, clock,
                                               kNamespace, kDevice, kLivePatience);
}

}  // namespace hsmops::sim
