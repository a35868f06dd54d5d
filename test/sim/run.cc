#include "test/sim/run.h"

#include <fmt/format.h>

#include <cstdio>

#include "test/sim/history.h"

namespace hsmops::sim {

using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kSafety{80};
constexpr seconds kSettle{40};  // after everything healed, with writes,
constexpr seconds kQuiet{30};   // and without
constexpr int kClients = 3;
constexpr int kNames = 4;
constexpr Link kUsual{false, 0, 0, std::chrono::microseconds(200), milliseconds(3)};

class Story {
 public:
  explicit Story(const RunOptions& options)
      : options_(options),
        scheduler_(options.seed),
        cluster_(scheduler_, Choose()),
        history_(cluster_) {}
  ~Story() { scheduler_.Finish(); }

  Outcome Go() {
    base::SetMutant(options_.mutant);
    cluster_.network().Heal(kUsual);
    cluster_.Begin();
    for (int i = 0; i < kClients; ++i) StartClient(i);
    scheduler_.Spawn(&tester_, [this] { Nemesis(); });
    const auto step = [this] {
      history_.Look();
      return !history_.violation();
    };
    bool whole = scheduler_.RunUntil(kSafety, step);
    if (whole) {
      Heal();
      whole = scheduler_.RunUntil(kSafety + kSettle, step);
      quiet_ = true;  // no more writes, so that the copies can become equal
      whole = whole && scheduler_.RunUntil(kSafety + kSettle + kQuiet, step);
      if (whole) history_.LookAtTheEnd();
      if (acknowledged_since_heal_ == 0 && !history_.violation()) stuck_ = true;
    }
    Outcome outcome;
    if (history_.violation()) outcome.violation = history_.violation()->what;
    if (stuck_) outcome.violation = "after everything healed no write was acknowledged";
    outcome.acknowledged = history_.acknowledged();
    outcome.reads = history_.reads();
    if (const auto r = cluster_.Arbiter()) outcome.epochs = r->epoch.counter;
    if (options_.trace) {
      for (const auto& manager : cluster_.managers())
        Trace("{}{} said last: {}", manager->name(), manager->leads() ? " (leads)" : "",
              manager->last_reason());
    }
    scheduler_.Finish();
    base::SetMutant(base::Mutant::kNone);
    return outcome;
  }

 private:
  ClusterOptions Choose() {
    ClusterOptions options;
    const std::uint64_t kind = scheduler_.Below(10);
    options.nodes = kind == 0 ? 2 : 3;
    options.grant = seconds(2 + scheduler_.Below(5));
    options.slow_calls = scheduler_.Chance(0.5) ? 3 : 30;
    theme_ = static_cast<int>(scheduler_.Below(5));
    return options;
  }

  template <typename... Args>
  void Trace(fmt::format_string<Args...> format, Args&&... args) {
    if (!options_.trace) return;
    fmt::print(stderr, "{:9.3f} {}\n", std::chrono::duration<double>(scheduler_.now()).count(),
               fmt::format(format, std::forward<Args>(args)...));
  }

  Duration Between(Duration least, Duration most) {
    return least + Duration(static_cast<std::int64_t>(
                       scheduler_.Below(static_cast<std::uint64_t>((most - least).count()))));
  }
  void SleepFor(Duration duration) { scheduler_.SleepUntil(scheduler_.now() + duration); }

  // --- clients ---

  struct Client {
    Client(Cluster& cluster, int number)
        : clock(cluster.scheduler(), cluster.Rate(), seconds(1000)),
          transport(cluster.network(), fmt::format("client-{}", number),
                    {kTrustDomain, net::Role::kManager, fmt::format("client-{}", number)}, clock) {
      for (std::size_t i = 1; i <= cluster.managers().size(); ++i)
        managers.push_back(cluster.Client(transport, clock, static_cast<int>(i)));
    }
    SimClock clock;
    SimTransport transport;
    std::vector<std::unique_ptr<manager::LiveClient>> managers;
  };

  void StartClient(int number) {
    clients_.push_back(std::make_unique<Client>(cluster_, number));
    scheduler_.Spawn(&tester_, [this, client = clients_.back().get(), number] {
      int count = 0;
      while (!scheduler_.dead()) {
        SleepFor(Between(milliseconds(5), milliseconds(400)));
        if (quiet_) continue;
        const std::string name = fmt::format("s{}", scheduler_.Below(kNames));
        if (scheduler_.Chance(0.6)) {
          WriteOne(*client, name, fmt::format("c{}-{}", number, ++count));
        } else {
          ReadOne(*client, name);
        }
      }
    });
  }

  manager::LiveClient& Any(Client& client) {
    return *client.managers[scheduler_.Below(client.managers.size())];
  }

  // The same opId again while the outcome is in doubt, as a client that wants to know does.
  void WriteOne(Client& client, const std::string& name, const std::string& value) {
    SimRng rng(scheduler_);
    const store::OpId op = rng.Array<16>();
    const std::size_t write = history_.BeginWrite(name, value);
    const auto stamp = Any(client).TakeStamp();
    if (!stamp.ok()) return;
    const int tries = static_cast<int>(1 + scheduler_.Below(5));
    for (int i = 0; i < tries && !scheduler_.dead(); ++i) {
      std::vector<store::Write> writes;
      store::Keys keys;
      keys.emplace("v", base::SecretBytes::FromText(value));
      writes.push_back(
          {.name = *store::SecretName::Parse(name), .keys = std::move(keys), .op_id = op});
      const auto results = Any(client).Put(*stamp, writes);
      if (results.ok() && results->size() == 1 && results->front().ok()) {
        history_.Acknowledged(write, results->front()->version, results->front()->repeated);
        if (healed_) ++acknowledged_since_heal_;
        return;
      }
      SleepFor(Between(milliseconds(10), milliseconds(500)));
    }
  }

  void ReadOne(Client& client, const std::string& name) {
    const Time asked = scheduler_.now();
    const auto served = Any(client).Get(*store::SecretName::Parse(name));
    if (!served.ok() || !served->by_primary) return;
    if (!served->secret) return history_.Read(name, asked, std::nullopt, {});
    const auto value = served->secret->keys.at("v").view();
    history_.Read(name, asked, std::string(value.begin(), value.end()), served->secret->version);
  }

  // --- what goes wrong ---

  void Nemesis() {
    while (!healed_ && !scheduler_.dead()) {
      SleepFor(Between(milliseconds(200), seconds(5)));
      if (healed_ || scheduler_.dead()) return;
      OneFault();
    }
  }

  AgentHost& AnyAgent() { return *cluster_.agents()[scheduler_.Below(cluster_.agents().size())]; }
  // More often the one that matters.
  AgentHost& SomeAgent() {
    const auto r = cluster_.Arbiter();
    if (r && r->holder && scheduler_.Chance(0.5)) {
      for (const auto& host : cluster_.agents())
        if (host->node() == r->holder->node_name) return *host;
    }
    return AnyAgent();
  }
  ManagerHost& SomeManager() {
    for (const auto& host : cluster_.managers())
      if (host->leads() && scheduler_.Chance(0.6)) return *host;
    return *cluster_.managers()[scheduler_.Below(cluster_.managers().size())];
  }

  void Later(Duration after, Task task) {
    scheduler_.At(scheduler_.now() + after, std::move(task));
  }

  // A run has a theme more often than not: what breaks rare guards comes seldom by itself.
  void OneFault() {
    switch (theme_) {
      case 1:
        return scheduler_.Chance(0.7) ? SplitPrimary() : AnyFault();
      case 2:
        return scheduler_.Chance(0.5) ? KillPrimaryAndLeader() : AnyFault();
      case 3:
        return scheduler_.Chance(0.7) ? FlapMirror() : AnyFault();
      default:
        return AnyFault();
    }
  }

  AgentHost* Primary() {
    const auto r = cluster_.Arbiter();
    for (const auto& host : cluster_.agents()) {
      if (r && r->holder && host->node() == r->holder->node_name) return host.get();
    }
    return nullptr;
  }

  // The leader cannot reach the Primary, others can, and what they read of R is old.
  void SplitPrimary() {
    AgentHost* primary = Primary();
    if (primary == nullptr) return AnyFault();
    const Duration lasting = Between(seconds(2), seconds(30));
    const bool mirrors_too = scheduler_.Chance(0.5);
    Trace("split {} from its leader{} for {}", primary->node(), mirrors_too ? " and mirrors" : "",
          base::FormatDuration(lasting));
    for (const auto& host : cluster_.managers()) {
      if (host->leads()) {
        CutBoth(primary->node(), host->name(), lasting);
      } else if (scheduler_.Chance(0.7)) {
        host->resources().faults = {false, 0, 0, 0, {}, milliseconds(100), 0.9};
        Later(lasting, [&host = *host] { host.resources().faults = {}; });
      }
    }
    if (!mirrors_too) return;
    for (const auto& host : cluster_.agents()) {
      if (host.get() != primary) CutBoth(primary->node(), host->node(), lasting);
    }
  }

  void CutBoth(const std::string& a, const std::string& b, Duration lasting) {
    Link link = kUsual;
    link.cut = true;
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      cluster_.network().Between(from, to) = link;
      Later(lasting, [this, from, to] { cluster_.network().Between(from, to) = kUsual; });
    }
  }

  // The Primary goes, or cannot be reached; and whoever promotes another goes in the midst of it.
  void KillPrimaryAndLeader() {
    AgentHost* primary = Primary();
    if (primary == nullptr) return KillManager();
    const Duration lasting = Between(seconds(5), seconds(30));
    if (scheduler_.Chance(0.5)) {
      Trace("pause {} for {}", primary->node(), base::FormatDuration(lasting));
      scheduler_.Pause(primary->process(), scheduler_.now() + lasting);
    } else {
      for (const auto& host : cluster_.managers()) {
        if (scheduler_.Chance(0.8)) CutBoth(primary->node(), host->name(), lasting);
      }
      Trace("cut {} from managers for {}", primary->node(), base::FormatDuration(lasting));
    }
    Later(Between(seconds(1), seconds(15)), [this] { KillManager(); });
  }

  // A mirror comes and goes, and the Primary with it: S changes all the time.
  void FlapMirror() {
    AgentHost& mirror = AnyAgent();
    if (!mirror.process().running) return;
    const Duration away = Between(seconds(1), seconds(8));
    Trace("flap {} for {}", mirror.node(), base::FormatDuration(away));
    mirror.Kill(false);
    Later(away, [this, &mirror] {
      if (!mirror.process().running) mirror.Start();
      Later(Between(milliseconds(100), seconds(5)), [this] {
        if (AgentHost* primary = Primary(); primary != nullptr && !healed_) Bounce(*primary);
      });
    });
  }

  void Bounce(AgentHost& host) {
    if (!host.process().running) return;
    const Duration away = scheduler_.Chance(0.5) ? Between(milliseconds(20), seconds(1))
                                                 : Between(seconds(5), seconds(20));
    Trace("kill {} for {}", host.node(), base::FormatDuration(away));
    host.Kill(scheduler_.Chance(0.5));
    Later(away, [&host] {
      if (!host.process().running) host.Start();
    });
  }

  void AnyFault() {
    switch (scheduler_.Below(11)) {
      case 0:
      case 1:
        return Bounce(SomeAgent());
      case 2:
        return KillManager();
      case 3:
        return PauseSomebody();
      case 4:
      case 5:
        return CutLinks();
      case 6:
        return LoseMessages();
      case 7:
        return CutStore();
      case 8:
        return DoubtStore();
      case 9:
        return JumpWall();
      default:
        return Unplug();
    }
  }

  void KillManager() {
    ManagerHost& host = SomeManager();
    if (!host.process().running) return;
    const Duration away = Between(milliseconds(100), seconds(20));
    Trace("kill {} for {}", host.name(), base::FormatDuration(away));
    host.Kill();
    Later(away, [&host] {
      if (!host.process().running) host.Start();
    });
  }

  void PauseSomebody() {
    const Duration lasting = Between(milliseconds(50), seconds(25));
    Process& process = scheduler_.Chance(0.6) ? SomeAgent().process() : SomeManager().process();
    Trace("pause {} for {}", process.name, base::FormatDuration(lasting));
    scheduler_.Pause(process, scheduler_.now() + lasting);
  }

  std::vector<std::string> Everybody() {
    std::vector<std::string> names;
    for (const auto& host : cluster_.agents()) names.push_back(host->node());
    for (const auto& host : cluster_.managers()) names.push_back(host->name());
    for (int i = 0; i < kClients; ++i) names.push_back(fmt::format("client-{}", i));
    return names;
  }

  // One host from all the others, or from one; both ways or one.
  void CutLinks() {
    const std::string victim = scheduler_.Chance(0.7) ? SomeAgent().node() : SomeManager().name();
    const std::vector<std::string> all = Everybody();
    const std::string other = all[scheduler_.Below(all.size())];
    const bool from_all = scheduler_.Chance(0.6);
    const std::uint64_t ways = 1 + scheduler_.Below(3);
    const Duration lasting = Between(milliseconds(100), seconds(25));
    Trace("cut {} from {} ({}) for {}", victim, from_all ? "all" : other, ways,
          base::FormatDuration(lasting));
    for (const std::string& name : all) {
      if (name == victim || (!from_all && name != other)) continue;
      for (const auto& [from, to, way] :
           {std::tuple(victim, name, 1U), std::tuple(name, victim, 2U)}) {
        if ((ways & way) == 0) continue;
        Link link = kUsual;
        link.cut = true;
        cluster_.network().Between(from, to) = link;
        Later(lasting, [this, from, to] { cluster_.network().Between(from, to) = kUsual; });
      }
    }
  }

  void LoseMessages() {
    Link link = kUsual;
    link.loss = 0.3 * static_cast<double>(scheduler_.Below(100)) / 100;
    link.twice = scheduler_.Chance(0.5) ? 0.1 : 0;
    link.jitter = scheduler_.Chance(0.3) ? Duration(seconds(25)) : Duration(milliseconds(500));
    const std::vector<std::string> all = Everybody();
    const std::string victim = all[scheduler_.Below(all.size())];
    const Duration lasting = Between(milliseconds(100), seconds(15));
    Trace("lose {:.0f} % and delay to {} around {} for {}", link.loss * 100,
          base::FormatDuration(link.jitter), victim, base::FormatDuration(lasting));
    for (const std::string& name : all) {
      if (name == victim) continue;
      cluster_.network().Between(victim, name) = link;
      cluster_.network().Between(name, victim) = link;
      Later(lasting, [this, victim, name] {
        cluster_.network().Between(victim, name) = kUsual;
        cluster_.network().Between(name, victim) = kUsual;
      });
    }
  }

  void CutStore() {
    const Duration lasting = Between(milliseconds(100), seconds(20));
    const bool all = scheduler_.Chance(0.3);
    ManagerHost& victim = SomeManager();
    Trace("cut {} from the store for {}", all ? "all" : victim.name(),
          base::FormatDuration(lasting));
    for (const auto& host : cluster_.managers()) {
      if (!all && host.get() != &victim) continue;
      host->resources().faults.cut = true;
      Later(lasting, [&host = *host] { host.resources().faults.cut = false; });
    }
  }

  void DoubtStore() {
    ManagerHost& host = SomeManager();
    const Duration lasting = Between(milliseconds(100), seconds(20));
    Trace("the store answers {} badly for {}", host.name(), base::FormatDuration(lasting));
    const double stale = scheduler_.Chance(0.5) ? 0.5 : 0;
    host.resources().faults = {false, 0.1, 0.1, 0.2, milliseconds(1), milliseconds(800), stale};
    Later(lasting, [&host] { host.resources().faults = {}; });
  }

  void JumpWall() {
    ManagerHost& host = SomeManager();
    host.clock().JumpWall(Between(-seconds(100), seconds(100)));
  }

  void Unplug() {
    AgentHost& host = SomeAgent();
    const Duration lasting = Between(milliseconds(100), seconds(20));
    Trace("unplug the token of {} for {}", host.node(), base::FormatDuration(lasting));
    host.memory().Unplug();
    Later(lasting, [&host] { host.memory().Replug(); });
  }

  void Heal() {
    Trace("everything heals");
    healed_ = true;
    cluster_.network().Heal(kUsual);
    for (const auto& host : cluster_.agents()) {
      host->memory().Replug();
      scheduler_.Pause(host->process(), {});
      if (!host->process().running) host->Start();
    }
    for (const auto& host : cluster_.managers()) {
      host->resources().faults = {};
      scheduler_.Pause(host->process(), {});
      if (!host->process().running) host->Start();
    }
  }

  const RunOptions options_;
  int theme_ = 0;
  Process tester_{"tester", 1, true, {}};  // clients and what goes wrong
  Scheduler scheduler_;
  Cluster cluster_;
  History history_;
  std::vector<std::unique_ptr<Client>> clients_;
  bool healed_ = false;
  bool quiet_ = false;
  bool stuck_ = false;
  std::size_t acknowledged_since_heal_ = 0;
};

}  // namespace

Outcome Run(const RunOptions& options) { return Story(options).Go(); }

}  // namespace hsmops::sim
