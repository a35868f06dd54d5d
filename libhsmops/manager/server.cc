#include "libhsmops/manager/server.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "libhsmops/agent/client.h"
#include "libhsmops/agent/http_channel.h"
#include "libhsmops/agent/server.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/arbiter.h"
#include "libhsmops/cluster/endpoint.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/cluster/watching_store.h"
#include "libhsmops/manager/agent_endpoints.h"
#include "libhsmops/manager/aggregation.h"
#include "libhsmops/manager/announcement.h"
#include "libhsmops/manager/collecting.h"
#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/election.h"
#include "libhsmops/manager/grant_relay.h"
#include "libhsmops/manager/live_api.h"
#include "libhsmops/manager/secret_delivery.h"
#include "libhsmops/manager/stranded.h"
#include "libhsmops/manager/vitals.h"
#include "libhsmops/net/curl_transport.h"
#include "libhsmops/net/http_server.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kStopLook{50};
constexpr std::chrono::milliseconds kElectPeriod{1000};
constexpr std::chrono::seconds kLease{8};
constexpr std::chrono::seconds kFirstSlices{5};
constexpr base::Duration kRenew = std::chrono::milliseconds(2500);
constexpr std::chrono::milliseconds kRelayPeriod{200};
constexpr std::chrono::milliseconds kIdlePeriod{500};
constexpr int kPhases = 10;  // of that period, in which the turns of different devices begin
constexpr std::chrono::milliseconds kLookPeriod{1000};
constexpr std::chrono::seconds kTidyOperations{5};
constexpr std::chrono::seconds kStopPatience{10};
constexpr std::chrono::seconds kOneWrite{10};  // of a Secret
// Every member is asked several times a second: with a connection for each kept, a handshake, which
// costs more than all else in a request, is rare.
constexpr net::CurlLimits kKept{.idle_per_peer = 32, .idle = 512};

// What a manager reads of Kubernetes, by watches: its devices where their agents are, the Leases
// and the operations.
class Watched {
 public:
  Watched(cluster::ResourceStore& store, base::Clock& clock, const std::string& ns)
      : slices_(store, clock, cluster::Kind::kEndpointSlice, ns),
        store_(store, clock, ns,
               {cluster::Kind::kHsmDevice, cluster::Kind::kHsmOperation, cluster::Kind::kLease},
               [this](const cluster::Object& object) { return Shown(object); }) {
    (void)slices_.WaitKnown(clock.Now() + kFirstSlices);
  }
  cluster::ResourceStore& store() { return store_; }

 private:
  // Where an agent was last stays known: neither a slice that is gone nor one that cannot be looked
  // at makes a member unreachable that answers where it was.
  cluster::Object Shown(const cluster::Object& object) {
    if (object.key().kind != cluster::Kind::kHsmDevice) return object;
    const std::string& name = object.key().name;
    const auto slices = slices_.List();
    const std::lock_guard lock(mutex_);
    auto& last = last_[name];
    if (slices.ok()) {
      for (auto& [node, url] : EndpointsOf(*slices, name)) last[node] = url;
    }
    return WithEndpoints(object, last, slices.ok() ? Slices::kSeen : Slices::kUnknown);
  }

  cluster::WatchedKind slices_;
  std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::string>> last_;  // by device and node
  cluster::WatchingStore store_;
};

class Running {
 public:
  Running(cluster::ResourceStore& resources, const ServerConfig& config,
          const std::atomic<bool>& stop, const ServerLog& log)
      : watched_(config.kubernetes == nullptr
                     ? nullptr
                     : std::make_unique<Watched>(resources, clock_, config.ns)),
        resources_(watched_ ? watched_->store() : resources),
        config_(config),
        stop_(stop),
        log_(log) {}

  Result<void> Open() {
    HSM_TRY(credentials_, net::CredentialSource::Open(config_.credentials, clock_, log_));
    self_ = credentials_->Current()->identity();
    if (self_.role != net::Role::kManager) {
      return Error(ErrorCode::kInvalid,
                   fmt::format("the certificate {} is that of {}, not of a manager: issue one with "
                               "kubectl hsm certs issue --manager NAME",
                               config_.credentials.cert, self_.text()));
    }
    if (!config_.url.empty()) HSM_RETURN_IF_ERROR(CheckUrl());
    HSM_RETURN_IF_ERROR(CheckPool());
    transport_.emplace(*credentials_, clock_, kKept);
    world_.emplace(World{resources_, clock_, rng_, executor_,
                         [this](const std::string& node, const std::string& endpoint,
                                const store::Uid&, const store::Uid&) {
                           return agent::ReachMember(*transport_, self_.pool, node, endpoint,
                                                     clock_);
                         }});
    vitals_.emplace(config_.ns, clock_, *credentials_);
    world_->managers = failover::Managers::kLead;
    if (config_.enrols) world_->enrols = agent::PoolUidOf(self_.pool);
    world_->synced = [this](const std::string& device, base::Duration time, bool whole) {
      vitals_->Synced(device, time, whole);
    };
    world_->step = [this](const std::string& device, const std::string& sentence) {
      log_("info", device + ": " + sentence);
    };
    world_->ends = [this] { return stop_.load(); };
    fronts_.emplace(*world_);
    live_.emplace(*fronts_);
    return {};
  }

  Result<net::Listening> Listen() {
    net::ServerConfig server;
    server.listen = config_.listen;
    server.lanes = LiveLanes();
    server.answered = [this](const std::string& route, int status, base::Duration time) {
      vitals_->Answered(route, status, time);
    };
    server.limits.admission.requests_per_identity = {20'000, 20'000};
    HSM_TRY(server_, net::HttpServer::Start(
                         std::move(server), *credentials_, clock_,
                         [this](const net::Received& head) { return Find(head); },
                         [this](const std::string& line) { log_("warning", line); }));
    const std::string url = config_.url.empty() ? "https://" + server_->address() : config_.url;
    election_.emplace(resources_, clock_,
                      ElectionOptions{config_.ns, "hsm-manager",
                                      fmt::format("{}.{}", self_.name, base::Hex(rng_.Array<4>())),
                                      url, kLease, watched_ ? kRenew : base::Duration(0)});
    // On Kubernetes clients go through the API server.
    if (!watched_)
      announcement_.emplace(resources_, clock_, rng_, config_.ns, Replica{self_.name, url});
    net::Listening listening{server_->address(), ""};
    if (config_.kubernetes != nullptr && !config_.api_listen.empty()) {
      HSM_TRY(aggregation_, Aggregation::Start(
                                config_.api_listen, config_.ns, *world_, *fronts_,
                                *config_.kubernetes, *credentials_,
                                [this](const std::string& route, int status, base::Duration time) {
                                  vitals_->Answered(route, status, time);
                                },
                                log_));
      log_("info", "the live API for the aggregation layer is on " + aggregation_->address());
    }
    if (config_.status_listen.empty()) return listening;
    HSM_TRY(pages_, net::StatusServer::Start(config_.status_listen, [this](std::string_view path) {
              return vitals_->Page(path, server_.get());
            }));
    listening.status = pages_->address();
    return listening;
  }

  void Run() {
    std::atomic<bool> ended{false};
    const std::jthread hurries([&] { HurryUnless(ended); });
    {
      const std::jthread elects([this] { Elect(); });
      const std::jthread relays([this] { Relay(); });
      const std::jthread looks([this] { Look(); });
      const std::jthread delivers([this] { Deliver(); });
      const std::jthread tidies([this] { TidyOperations(); });
      Control();
    }
    ended = true;
    if (announcement_) announcement_->Withdraw();
    election_->Resign();
    const base::TimePoint until = clock_.Now() + kStopPatience;
    server_->Stop(until);
    if (aggregation_) aggregation_->Stop(until);
  }

 private:
  Result<void> CheckUrl() const {
    const auto valid = cluster::CheckEndpoint(config_.url);
    if (valid.ok() && config_.url.starts_with("https:")) return {};
    return Error(ErrorCode::kInvalid,
                 fmt::format("--url {} is not https://HOST[:PORT], without path or query",
                             base::Printable(config_.url)));
  }

  // What is under way may end, but a member that hangs does not hold up the end.
  void HurryUnless(const std::atomic<bool>& ended) {
    while (Sleep(kLookPeriod)) {
    }
    const base::TimePoint until = clock_.Now() + kStopPatience;
    while (!ended && clock_.Now() < until) clock_.SleepFor(kStopLook);
    if (!ended) transport_->Stop();
  }

  // A leader of another pool would keep everybody else from leading and reach no agent. What cannot
  // be looked at now says nothing.
  Result<void> CheckPool() {
    const std::string own = store::UidText(agent::PoolUidOf(self_.pool));
    const auto devices = cluster::LoadAll<cluster::HSMDevice>(resources_, config_.ns);
    if (!devices.ok()) return {};
    for (const cluster::HSMDevice& device : devices->items) {
      const std::string& name = device.metadata.name;
      const auto r = cluster::ReadArbiter(resources_, config_.ns, name);
      if (!device.IsBehindAgents() || !r.ok() || r->value.pool_uid == own) continue;
      return Error(ErrorCode::kInvalid,
                   fmt::format("the certificate {} is of pool {}, and device {} is of another: "
                               "issue one of its own pool's CA",
                               config_.credentials.cert, self_.pool, name));
    }
    return {};
  }

  // Who belongs to the pool may see how it is.
  std::variant<net::Route, net::Reply> Find(const net::Received& head) {
    if (head.method == "GET") return vitals_->Page(net::PathOf(head.target), nullptr);
    return live_->Find(head);
  }

  // What health pages and metrics are of; and where clients find this manager.
  void Look() {
    do {
      (void)credentials_->Current();  // so that a change of its files is noticed and told
      if (auto announced = announcement_ ? announcement_->Step() : Result<void>();
          !announced.ok()) {
        Tell("announcement",
             "clients are not told of this manager: " + announced.error().message());
      } else {
        Forget("announcement");
      }
      if (aggregation_) aggregation_->Look();
      vitals_->Saw(cluster::LoadAll<cluster::HSMDevice>(resources_, config_.ns));
      vitals_->Turned(Loop::kLook);
    } while (Sleep(kLookPeriod));
  }

  // The HSMSecrets of Kubernetes, while this replica leads.
  void Deliver() {
    if (config_.kubernetes == nullptr) return;
    kube::SecretWriter writer(*config_.kubernetes, clock_, kOneWrite);
    std::optional<SecretDelivery> delivery;
    while (!stop_) {
      if (!Leads()) {
        delivery.reset();
        if (!Sleep(kRelayPeriod)) return;
        continue;
      }
      if (!delivery) delivery.emplace(*world_, *fronts_, writer, config_.ns, log_);
      delivery->Step(kLookPeriod);
    }
  }

  // False: it is time to stop.
  bool Sleep(base::Duration duration) {
    const base::TimePoint until = clock_.Now() + duration;
    while (!stop_ && clock_.Now() < until)
      clock_.SleepFor(std::min<base::Duration>(kStopLook, until - clock_.Now()));
    return !stop_;
  }

  void Elect() {
    std::string leader;
    do {
      const std::lock_guard lock(election_mutex_);
      if (auto stepped = election_->Step(); !stepped.ok())
        Tell("election", "the election cannot be looked at: " + stepped.error().message());
      if (election_->leader() != leader) {
        leader = election_->leader();
        log_("info", leader.empty() ? "nobody leads" : leader + " leads");
      }
      vitals_->Led(election_->Leads(), leader);
      vitals_->Turned(Loop::kElection);
    } while (Sleep(kElectPeriod));
  }

  bool Leads() { return Term() != 0; }

  // Another one when somebody else has led in between; 0: it does not lead.
  std::uint64_t Term() {
    const std::lock_guard lock(election_mutex_);
    return election_->Leads() ? election_->term() : 0;
  }

  // Their names, and the version of each. nullopt: they cannot be listed now, which says nothing of
  // them.
  using Versions = std::map<std::string, std::string>;
  std::optional<Versions> Devices() {
    Versions names;
    const auto devices = resources_.List(cluster::Kind::kHsmDevice, config_.ns);
    if (!devices.ok()) {
      Tell("devices", "the devices cannot be listed: " + devices.error().message());
      return std::nullopt;
    }
    for (const cluster::Object& device : devices->items)
      names.emplace(device.key().name, device.version());
    return names;
  }

  struct Relayed {
    GrantRelay relay;
    std::unique_ptr<Pool> pool;
  };

  // All devices at once: one whose Primary is silent keeps no other from its grant.
  void Relay() {
    std::map<std::string, Relayed> devices;
    Versions names;
    while (Sleep(kRelayPeriod)) {
      vitals_->Turned(Loop::kRelay);
      if (const auto listed = Devices()) names = *listed;
      std::erase_if(devices, [&](const auto& entry) { return !names.contains(entry.first); });
      std::vector<base::Executor::Task> tasks;
      for (const auto& [name, version] : names) {
        tasks.push_back([this, &name = name, &version = version, &one = devices[name]] {
          RelayOne(name, version, one);
        });
      }
      executor_.RunAll(std::move(tasks));
    }
  }

  void RelayOne(const std::string& name, const std::string& version, Relayed& one) {
    if (one.pool && one.pool->device().metadata.resource_version != version) {
      if (const auto changed = one.pool->ReloadDevice(); changed.ok() && *changed) one.pool.reset();
    }
    if (!one.pool) {
      auto opened = Pool::Open(*world_, config_.ns, name);
      if (!opened.ok()) return;  // the controller's turn says why
      one.pool = *std::move(opened);
    }
    if (auto relayed = one.relay.Relay(*one.pool, Leads()); !relayed.ok())
      Tell(name + "/grant", fmt::format("{}: no grant: {}", name, relayed.error().message()));
    else if (*relayed)
      Forget(name + "/grant");
  }

  struct Controlled {
    std::atomic<bool> ended{false};
    std::jthread thread;
  };

  // A thread for each device: a promotion or a long sync of one keeps no other waiting. It rests
  // while another replica leads, and ends when its device is gone.
  void Control() {
    std::map<std::string, Controlled> devices;
    int started = 0;
    do {
      vitals_->Turned(Loop::kControl);
      const auto listed = Devices();
      if (!listed) continue;
      for (auto& [name, device] : devices) {
        if (!listed->contains(name)) device.thread.request_stop();
      }
      std::erase_if(devices, [](const auto& entry) { return entry.second.ended.load(); });
      for (const auto& [name, version] : *listed) {
        auto [at, is_new] = devices.try_emplace(name);
        if (is_new) StartControl(name, kIdlePeriod / kPhases * (started++ % kPhases), at->second);
      }
    } while (Sleep(kIdlePeriod));
  }

  void TidyOperations() {
    Strays strays;
    while (Sleep(kTidyOperations)) {
      if (!Leads()) continue;
      const auto listed = Devices();
      if (!listed) continue;
      std::set<std::string> names;
      for (const auto& [name, version] : *listed) names.insert(name);
      const auto go_on = [this] { return !stop_ && Leads(); };
      strays.Look(*world_, config_.ns, names, go_on);
      Collect(*world_, config_.ns, go_on);
    }
  }

  void StartControl(const std::string& name, base::Duration phase, Controlled& controlled) {
    controlled.thread =
        std::jthread([this, name, phase, &controlled](const std::stop_token& asked) {
          ControlOne(name, phase, asked);
          controlled.ended = true;
        });
  }

  // `phase`: so much later than it could, so that many do not all wait for each other at once.
  void ControlOne(const std::string& name, base::Duration phase, const std::stop_token& asked) {
    Controller controller(*world_, config_.ns, name);
    base::Duration period = phase;
    std::uint64_t term = 0;
    while (Sleep(period) && !asked.stop_requested()) {
      period = kIdlePeriod;
      const std::uint64_t before = std::exchange(term, Term());
      if (term == 0 || term != before) controller.Rest();
      if (term == 0) continue;
      const base::TimePoint began = clock_.Now();
      const Turned turned = controller.Turn();
      vitals_->TookTurn(name, clock_.Now() - began);
      Tell(name, name + ": " + turned.reason, turned.failed ? "warning" : "info");
      period = turned.acted ? base::Duration(0) : std::min<base::Duration>(period, turned.next);
    }
  }

  // What was said last of the same is not said again.
  void Tell(const std::string& subject, const std::string& sentence,
            const char* level = "warning") {
    {
      const std::lock_guard lock(said_mutex_);
      if (said_[subject] == sentence) return;
      said_[subject] = sentence;
    }
    log_(level, sentence);
  }
  void Forget(const std::string& subject) {
    const std::lock_guard lock(said_mutex_);
    said_.erase(subject);
  }

  base::SystemClock clock_;
  const std::unique_ptr<Watched> watched_;
  cluster::ResourceStore& resources_;
  const ServerConfig& config_;
  const std::atomic<bool>& stop_;
  const ServerLog& log_;
  base::SystemRng rng_;
  base::ThreadExecutor executor_;
  std::unique_ptr<net::CredentialSource> credentials_;
  net::Identity self_;
  std::optional<net::CurlTransport> transport_;
  std::optional<World> world_;
  std::optional<Vitals> vitals_;
  std::optional<Fronts> fronts_;
  std::optional<LiveApi> live_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<Aggregation> aggregation_;
  std::unique_ptr<net::StatusServer> pages_;
  std::mutex election_mutex_;
  std::optional<Election> election_;
  std::optional<Announcement> announcement_;
  std::mutex said_mutex_;
  std::map<std::string, std::string> said_;
};

}  // namespace

Result<void> RunManager(cluster::ResourceStore& resources, const ServerConfig& config,
                        const std::atomic<bool>& stop,
                        const std::function<void(const net::Listening&)>& ready,
                        const ServerLog& log) {
  Running running(resources, config, stop, log);
  HSM_RETURN_IF_ERROR(running.Open());
  HSM_TRY(const net::Listening listening, running.Listen());
  ready(listening);
  running.Run();
  return {};
}

}  // namespace hsmops::manager
