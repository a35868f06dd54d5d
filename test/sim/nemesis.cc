#include "test/sim/nemesis.h"

#include <algorithm>
#include <cstdio>

namespace hsmops::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

Nemesis::Nemesis(Scheduler& scheduler, Cluster& cluster, Process& tester, const Options& options)
    : scheduler_(scheduler),
      cluster_(cluster),
      tester_(tester),
      options_(options),
      theme_(options.theme) {}

void Nemesis::Begin() {
  scheduler_.Spawn(&tester_, [this] {
    while (!healed_ && !scheduler_.dead()) {
      SleepFor(Between(milliseconds(200), seconds(5)));
      if (!healed_ && !scheduler_.dead()) OneFault();
    }
  });
}

// Changes of R, as it is now.
void Nemesis::TraceRecord() {
  if (!options_.trace || traced_writes_ == cluster_.store_writes()) return;
  traced_writes_ = cluster_.store_writes();
  const auto r = cluster_.Arbiter();
  if (!r || r->generation == traced_generation_) return;
  traced_generation_ = r->generation;
  std::string set;
  for (const std::string& node : SyncSet()) set += " " + node;
  const bool promoting = r->phase == cluster::ArbiterPhase::kPromoting;
  Trace("R: epoch {} generation {}, {}, S{}", r->epoch.counter, r->generation,
        promoting   ? "promoting"
        : r->holder ? r->holder->node_name
                    : "nobody",
        set);
}

void Nemesis::Look() {
  TraceRecord();
  if (waits_.empty() || seen_writes_ == cluster_.store_writes()) return;
  seen_writes_ = cluster_.store_writes();
  std::optional<Record> now = cluster_.Arbiter();
  if (!now) return;
  std::vector<Task> due;
  std::erase_if(waits_, [&](Wait& wait) {
    if (scheduler_.now() > wait.until) return true;
    if (!wait.change(seen_.value_or(*now), *now)) return false;
    due.push_back(std::move(wait.then));
    return true;
  });
  seen_ = std::move(now);
  for (const Task& task : due) task();
}

void Nemesis::ClientWasTold(bool repeated) {
  if (on_answer_) on_answer_(repeated);
}

void Nemesis::Heal() {
  Trace("everything heals");
  healed_ = true;
  waits_.clear();
  avoided_ = nullptr;
  on_answer_ = nullptr;
  cluster_.network().SetPost(nullptr);
  cluster_.network().SetWitness(nullptr);
  cluster_.network().Heal(kUsualLink);
  for (const auto& host : cluster_.agents()) {
    host->memory().Replug();
    scheduler_.Unpause(host->process());
    if (!host->process().running) host->Start();
  }
  for (const auto& host : cluster_.managers()) {
    host->resources().faults = {};
    scheduler_.Unpause(host->process());
    if (!host->process().running) host->Start();
  }
}

void Nemesis::Print(const std::string& line) const {
  fmt::print(stderr, "{:9.3f} {}\n", std::chrono::duration<double>(scheduler_.now()).count(), line);
}

Duration Nemesis::Between(Duration least, Duration most) {
  return least + Duration(static_cast<std::int64_t>(
                     scheduler_.Below(static_cast<std::uint64_t>((most - least).count()))));
}

// What was begun ends with everything else when all heals.
void Nemesis::Later(Duration after, Task task) {
  scheduler_.At(scheduler_.now() + after, [this, task = std::move(task)] {
    if (!healed_) task();
  });
}

void Nemesis::When(Change change, Duration within, Task then) {
  if (waits_.empty()) {
    seen_ = cluster_.Arbiter();
    seen_writes_ = cluster_.store_writes();
  }
  waits_.push_back({std::move(change), std::move(then), scheduler_.now() + within});
}

bool Nemesis::Await(const std::function<bool()>& so, Duration longest) {
  const Time until = scheduler_.now() + longest;
  while (!healed_ && !scheduler_.dead()) {
    if (so()) return true;
    if (scheduler_.now() >= until) return false;
    SleepFor(milliseconds(20));
  }
  return false;
}

// --- who
// ------------------------------------------------------------------------------------------

ManagerHost* Nemesis::Leader() {
  for (const auto& host : cluster_.managers())
    if (host->leads()) return host.get();
  return nullptr;
}

std::vector<AgentHost*> Nemesis::Mirrors() {
  std::vector<AgentHost*> mirrors;
  const AgentHost* primary = Primary();
  for (const auto& host : cluster_.agents())
    if (host.get() != primary) mirrors.push_back(host.get());
  return mirrors;
}

std::set<std::string> Nemesis::SyncSet() {
  std::set<std::string> nodes;
  const auto r = cluster_.Arbiter();
  for (const auto& host : cluster_.agents())
    if (r && r->sync_set.contains(store::UidText(host->uid()))) nodes.insert(host->node());
  return nodes;
}

AgentHost& Nemesis::AnyAgent() {
  return *cluster_.agents()[scheduler_.Below(cluster_.agents().size())];
}
// More often the one that matters.
AgentHost& Nemesis::SomeAgent() {
  const auto r = cluster_.Arbiter();
  if (r && r->holder && scheduler_.Chance(0.5)) {
    for (const auto& host : cluster_.agents())
      if (host->node() == r->holder->node_name) return *host;
  }
  return AnyAgent();
}
ManagerHost& Nemesis::SomeManager() {
  for (const auto& host : cluster_.managers())
    if (host->leads() && scheduler_.Chance(0.6)) return *host;
  return *cluster_.managers()[scheduler_.Below(cluster_.managers().size())];
}

AgentHost* Nemesis::Primary() {
  const auto r = cluster_.Arbiter();
  for (const auto& host : cluster_.agents()) {
    if (r && r->holder && host->node() == r->holder->node_name) return host.get();
  }
  return nullptr;
}

// The Primary goes, or cannot be reached; and whoever promotes another goes in the midst of it.
void Nemesis::KillPrimaryAndLeader() {
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
void Nemesis::FlapMirror() {
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

void Nemesis::Bounce(AgentHost& host) {
  if (!host.process().running) return;
  const Duration away = scheduler_.Chance(0.5) ? Between(milliseconds(20), seconds(1))
                                               : Between(seconds(5), seconds(20));
  Trace("kill {} for {}", host.node(), base::FormatDuration(away));
  host.Kill(scheduler_.Chance(0.5));
  Later(away, [&host] {
    if (!host.process().running) host.Start();
  });
}

void Nemesis::AnyFault() {
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

void Nemesis::KillManager() {
  ManagerHost& host = SomeManager();
  if (!host.process().running) return;
  const Duration away = Between(milliseconds(100), seconds(20));
  Trace("kill {} for {}", host.name(), base::FormatDuration(away));
  host.Kill();
  Later(away, [&host] {
    if (!host.process().running) host.Start();
  });
}

void Nemesis::PauseSomebody() {
  const Duration lasting = Between(milliseconds(50), seconds(25));
  Process& process = scheduler_.Chance(0.6) ? SomeAgent().process() : SomeManager().process();
  Trace("pause {} for {}", process.name, base::FormatDuration(lasting));
  scheduler_.Pause(process, scheduler_.now() + lasting);
}

std::vector<std::string> Nemesis::Everybody() const {
  std::vector<std::string> names;
  for (const auto& host : cluster_.agents()) names.push_back(host->node());
  for (const auto& host : cluster_.managers()) names.push_back(host->name());
  for (int i = 0; i < kClients; ++i) names.push_back(fmt::format("client-{}", i));
  return names;
}

// One host from all the others, or from one; both ways or one.
void Nemesis::CutLinks() {
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
      Link link = kUsualLink;
      link.cut = true;
      cluster_.network().Between(from, to) = link;
      Later(lasting, [this, from, to] { cluster_.network().Between(from, to) = kUsualLink; });
    }
  }
}

void Nemesis::LoseMessages() {
  Link link = kUsualLink;
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
      cluster_.network().Between(victim, name) = kUsualLink;
      cluster_.network().Between(name, victim) = kUsualLink;
    });
  }
}

void Nemesis::CutStore() {
  const Duration lasting = Between(milliseconds(100), seconds(20));
  const bool all = scheduler_.Chance(0.3);
  ManagerHost& victim = SomeManager();
  Trace("cut {} from the store for {}", all ? "all" : victim.name(), base::FormatDuration(lasting));
  for (const auto& host : cluster_.managers()) {
    if (!all && host.get() != &victim) continue;
    host->resources().faults.cut = true;
    Later(lasting, [&host = *host] { host.resources().faults.cut = false; });
  }
}

void Nemesis::DoubtStore() {
  ManagerHost& host = SomeManager();
  const Duration lasting = Between(milliseconds(100), seconds(20));
  Trace("the store answers {} badly for {}", host.name(), base::FormatDuration(lasting));
  const double stale = scheduler_.Chance(0.5) ? 0.5 : 0;
  host.resources().faults = {false, 0.1, 0.1, 0.2, milliseconds(1), milliseconds(800), stale};
  Later(lasting, [&host] { host.resources().faults = {}; });
}

void Nemesis::JumpWall() {
  ManagerHost& host = SomeManager();
  host.clock().JumpWall(Between(-seconds(100), seconds(100)));
}

void Nemesis::Unplug() {
  AgentHost& host = SomeAgent();
  const Duration lasting = Between(milliseconds(100), seconds(20));
  Trace("unplug the token of {} for {}", host.node(), base::FormatDuration(lasting));
  host.memory().Unplug();
  Later(lasting, [&host] { host.memory().Replug(); });
}

}  // namespace hsmops::sim
