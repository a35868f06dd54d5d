// The plots of Nemesis: each brings about what one guard of protocol.md, 3, is for, with times that
// chance chooses. A cluster that is not in the state that a plot begins with is left alone.
#include "libhsmops/cluster/typed_store.h"
#include "test/sim/nemesis.h"

namespace hsmops::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using cluster::ArbiterPhase;

// A failover that accepts loss is not begun any more when that was asked for so long ago.
constexpr std::chrono::minutes kAskedFor{10};

bool FencePoint(const cluster::Arbiter& before, const cluster::Arbiter& now) {
  return now.phase == ArbiterPhase::kPromoting && before.phase != ArbiterPhase::kPromoting;
}

}  // namespace

ClusterOptions Nemesis::Choose(Scheduler& scheduler, Theme theme) {
  ClusterOptions options;
  options.nodes = scheduler.Below(10) == 0 ? 2 : 3;
  options.grant = seconds(2 + scheduler.Below(5));
  options.slow_calls = scheduler.Chance(0.5) ? 3 : 30;
  options.far_rates = scheduler.Chance(0.2);
  switch (theme) {
    case Theme::kOldGrantLate:
    case Theme::kShrinkAndKill:
      options.grant = seconds(15 + scheduler.Below(10));
      break;
    case Theme::kFarRates:
      options.far_rates = true;
      [[fallthrough]];
    case Theme::kLeaderDiesAtFencePoint:
      options.grant = seconds(20 + scheduler.Below(10));
      break;
    case Theme::kForced:
      options.grant = seconds(2 + scheduler.Below(3));
      break;
    case Theme::kFreshReplicas:
      options.grant = seconds(4 + scheduler.Below(8));
      break;
    case Theme::kStrangeToken:
      break;
    default:
      return options;
  }
  options.nodes = 3;
  return options;
}

void Nemesis::OneFault() {
  switch (theme_) {
    case Theme::kAny0:
    case Theme::kAny1:
    case Theme::kAny2:
      return AnyFault();
    case Theme::kKillPrimaryAndLeader:
      return scheduler_.Chance(0.5) ? KillPrimaryAndLeader() : AnyFault();
    case Theme::kFlapMirror:
      return scheduler_.Chance(0.7) ? FlapMirror() : AnyFault();
    case Theme::kForced:  // an answer that is late on its way would be taken for one given late
      return Plot();
    default:
      return scheduler_.Chance(0.9) ? Plot() : AnyFault();
  }
}

void Nemesis::Plot() {
  avoided_ = nullptr;
  if (!Await([this] { return Primary() != nullptr && Leader() != nullptr; }, seconds(5))) return;
  switch (theme_) {
    case Theme::kStaleReplicas:
      return SplitPrimary(1);
    case Theme::kFreshReplicas:
      return SplitPrimary(0);
    case Theme::kLateGrants:
      return LateGrants();
    case Theme::kOldGrantLate:
      return OldGrantLate();
    case Theme::kLagAndKill:
      return LagAndKill(false);
    case Theme::kLagAndUnplug:
      return LagAndKill(true);
    case Theme::kGrowAndKill:
      return GrowAndKill();
    case Theme::kShrinkAndKill:
      return ShrinkAndKill();
    case Theme::kSlowPromotion:
      return SlowPromotion();
    case Theme::kSlowChangeOfSet:
      return SlowChangeOfSet();
    case Theme::kLeaderDiesAtFencePoint:
      return LeaderDiesAtFencePoint();
    case Theme::kKillOnAnswer:
      return KillOnAnswer();
    case Theme::kFarRates:
      return FarRates();
    case Theme::kForced:
      return Forced();
    case Theme::kStillClocks:
      return StillClocks();
    case Theme::kStrangeToken:
      return StrangeToken();
    default:
      return AnyFault();
  }
}

// --- what plots are made of ----------------------------------------------------------------------

void Nemesis::CutBoth(const std::string& a, const std::string& b, Duration lasting, bool refuses) {
  if (healed_) return;
  Link link = kUsualLink;
  link.cut = true;
  link.refuses = refuses;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    cluster_.network().Between(from, to) = link;
    Later(lasting, [this, from, to] { cluster_.network().Between(from, to) = kUsualLink; });
  }
}

void Nemesis::Uncut(const std::string& a, const std::string& b) {
  cluster_.network().Between(a, b) = kUsualLink;
  cluster_.network().Between(b, a) = kUsualLink;
}

void Nemesis::CutFromManagers(const AgentHost& host, Duration lasting) {
  for (const auto& manager : cluster_.managers())
    CutBoth(host.node(), manager->name(), lasting, true);
}

void Nemesis::KillFor(AgentHost& host, Duration away) {
  if (healed_ || !host.process().running) return;
  Trace("kill {} for {}", host.node(), base::FormatDuration(away));
  host.Kill(scheduler_.Chance(0.5));
  Later(away, [&host] {
    if (!host.process().running) host.Start();
  });
}

void Nemesis::KillFor(ManagerHost& host, Duration away) {
  if (healed_ || !host.process().running) return;
  Trace("kill {} for {}", host.name(), base::FormatDuration(away));
  host.Kill();
  Later(away, [&host] {
    if (!host.process().running) host.Start();
  });
}

void Nemesis::UnplugFor(AgentHost& host, Duration lasting) {
  if (healed_) return;
  Trace("unplug the token of {} for {}", host.node(), base::FormatDuration(lasting));
  host.memory().Unplug();
  Later(lasting, [&host] { host.memory().Replug(); });
}

// --- grants that outlive what they were given for ------------------------------------------------

// The leader cannot reach the Primary. Others can, and what they read of R is old: a grant that
// follows a read would go on for ever. Where it is not old, the Primary has a grant of just before
// P2, which has to be waited for.
void Nemesis::SplitPrimary(double stale) {
  AgentHost* primary = Primary();
  const Duration lasting = Between(seconds(8), seconds(30));
  const bool mirrors_too = scheduler_.Chance(0.7);
  const bool refuses = scheduler_.Chance(0.7);
  Trace("split {} from its leader{} for {}", primary->node(), mirrors_too ? " and mirrors" : "",
        base::FormatDuration(lasting));
  for (const auto& host : cluster_.managers()) {
    if (host->leads()) {
      CutBoth(primary->node(), host->name(), lasting, refuses);
    } else if (stale > 0) {
      host->resources().faults = {false, 0, 0, 0, {}, milliseconds(100), stale};
      Later(lasting, [&host = *host] { host.resources().faults = {}; });
    }
  }
  if (mirrors_too) {
    for (AgentHost* mirror : Mirrors()) CutBoth(primary->node(), mirror->node(), lasting);
  }
  SleepFor(lasting);
}

// Grants of others than the leader arrive when the promotion that they know nothing of is over: the
// time counts from the nonce.
void Nemesis::LateGrants() {
  AgentHost* primary = Primary();
  const ManagerHost* leader = Leader();
  const Duration lasting = Between(seconds(15), seconds(30));
  const Duration latest = 4 * cluster_.options().grant;
  Trace("grants to {} come late", primary->node());
  cluster_.network().SetPost([this, primary, leader, latest](const SimNetwork::Letter& letter) {
    const bool late = letter.verb == "open-gate" && letter.to == primary->node() &&
                      letter.from != leader->name() && scheduler_.Chance(0.8);
    return late ? Between(seconds(1), latest) : Duration(0);
  });
  CutBoth(primary->node(), leader->name(), lasting, true);
  for (AgentHost* mirror : Mirrors()) CutBoth(primary->node(), mirror->node(), lasting);
  SleepFor(lasting);
  cluster_.network().SetPost(nullptr);
}

// A grant of before a change of S arrives after it: what it says of S is over. Who has left S since
// can be reached, who is in it cannot, and the Primary goes before the next grant.
void Nemesis::OldGrantLate() {
  AgentHost* primary = Primary();
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(15))) return;
  const std::vector<AgentHost*> mirrors = Mirrors();
  const std::size_t first = scheduler_.Below(2);
  AgentHost* leaves = mirrors[first];
  AgentHost* stays = mirrors[1 - first];
  auto under_way = std::make_shared<bool>(false);
  auto changed = std::make_shared<bool>(false);
  cluster_.network().SetPost([=, this](const SimNetwork::Letter& letter) {
    if (letter.verb != "open-gate" || letter.to != primary->node() || *changed) return Duration(0);
    const Duration late = Between(seconds(4), seconds(9));
    *under_way = true;
    Later(late + Between(milliseconds(200), milliseconds(1500)), [=, this] {
      if (*changed && Primary() == primary) KillFor(*primary, seconds(40));
    });
    return late;
  });
  When([](const Record& before, const Record& now) { return before.sync_set != now.sync_set; },
       seconds(15),
       [=, this] {
         Trace("{} left S; cut {} from the Primary", leaves->node(), stays->node());
         *changed = true;
         CutBoth(primary->node(), stays->node(), seconds(15), true);
       });
  (void)Await([=] { return *under_way; }, seconds(10));
  CutFromManagers(*leaves, seconds(25));
  SleepFor(seconds(30));
  cluster_.network().SetPost(nullptr);
}

// Clocks at both extremes, and other managers that renew until P2: what the drift term of W is for.
void Nemesis::FarRates() {
  AgentHost* primary = Primary();
  const Duration lasting = Between(seconds(45), seconds(60));
  for (AgentHost* mirror : Mirrors()) CutBoth(primary->node(), mirror->node(), lasting, true);
  CutBoth(primary->node(), Leader()->name(), lasting, true);
  SleepFor(lasting);
}

// Whoever goes on with a promotion waits as long as who began it.
void Nemesis::LeaderDiesAtFencePoint() {
  AgentHost* primary = Primary();
  ManagerHost* leader = Leader();
  CutBoth(primary->node(), leader->name(), seconds(40), true);
  When(FencePoint, seconds(30), [=, this] {
    KillFor(*leader, seconds(30));
    CutFromManagers(*primary, seconds(40));
    for (AgentHost* mirror : Mirrors()) CutBoth(primary->node(), mirror->node(), seconds(40), true);
  });
  SleepFor(seconds(60));
}

// A forced failover asks nobody who confirms. So a write that is under way when the grant runs out
// must not be acknowledged, though its mirror confirms it; what was acknowledged before is given
// up.
void Nemesis::Forced() {
  AgentHost* primary = Primary();
  ManagerHost* leader = Leader();
  if (scheduler_.now() > seconds(50)) return SleepFor(seconds(5));  // it has to end in time
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(5))) return;
  const std::vector<AgentHost*> mirrors = Mirrors();
  const std::size_t first = scheduler_.Below(2);
  AgentHost* target = mirrors[first];
  AgentHost* confirms = mirrors[1 - first];
  avoided_ = leader;
  cluster_.network().SetPost([=, this](const SimNetwork::Letter& letter) {
    const bool slow = letter.verb == "apply" && letter.from == primary->node();
    return slow ? Between(seconds(2), seconds(6)) : Duration(0);
  });
  const Duration lasting = seconds(25);
  CutBoth(primary->node(), leader->name(), lasting, true);
  CutBoth(confirms->node(), leader->name(), lasting, true);
  CutBoth(primary->node(), target->node(), lasting, true);
  // What it gives up is accepted, however long the leader needs, and what others lose is not.
  When(
      [operation = AskForFailover(*target)](const Record& before, const Record& now) {
        return before.phase == ArbiterPhase::kPromoting && before.operation_id == operation &&
               now.phase == ArbiterPhase::kNormal;
      },
      kAskedFor,
      [this] {
        if (on_accepted_loss_) on_accepted_loss_();
      });
  SleepFor(lasting);
  cluster_.network().SetPost(nullptr);
  SleepFor(seconds(10));
}

std::string Nemesis::AskForFailover(const AgentHost& target) {
  cluster::HSMOperation operation;
  operation.metadata.ns = kNamespace;
  operation.metadata.name = fmt::format("forced-{}", ++operations_);
  operation.spec.device_ref.name = kDevice;
  operation.spec.type = cluster::OperationType::kFailover;
  operation.spec.target_node = target.node();
  operation.spec.accept_loss = true;
  operation.spec.reason = "the simulator";
  const auto made = cluster::CreateNew(cluster_.shared(), operation);
  Trace("force a failover to {}: {}", target.node(), made.ok() ? "asked" : made.error().message());
  return operation.metadata.name;
}

// --- members that lack what was acknowledged -----------------------------------------------------

// The mirror that would be promoted has missed the last writes. The other goes as well; or its
// token does, once it was counted on, so that it answers and can say nothing.
void Nemesis::LagAndKill(bool unplug) {
  AgentHost* primary = Primary();
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(15))) return;
  const std::vector<AgentHost*> mirrors = Mirrors();
  const Duration away = Between(seconds(15), seconds(35));
  CutBoth(primary->node(), mirrors[0]->node(), seconds(10), true);
  SleepFor(Between(milliseconds(50), milliseconds(1500)));
  if (unplug) {
    When(FencePoint, seconds(20), [=, this] { UnplugFor(*mirrors[1], away); });
  } else {
    KillFor(*mirrors[1], away);
  }
  KillFor(*primary, away);
  SleepFor(away + seconds(5));
}

// A mirror comes into S, and the Primary goes: is all on it?
void Nemesis::GrowAndKill() {
  AgentHost* primary = Primary();
  const std::vector<AgentHost*> mirrors = Mirrors();
  for (AgentHost* mirror : mirrors) {
    if (mirror->process().running) mirror->Kill(false);
  }
  Trace("kill all mirrors");
  (void)Await([this] { return SyncSet().empty(); }, seconds(20));
  SleepFor(Between(milliseconds(500), seconds(3)));
  if (healed_) return;
  When([](const Record& before,
          const Record& now) { return now.sync_set.size() > before.sync_set.size(); },
       seconds(25),
       [=, this] {
         Later(Between(milliseconds(0), milliseconds(200)),
               [=, this] { KillFor(*primary, seconds(30)); });
       });
  const bool one = scheduler_.Chance(0.5);
  if (!mirrors[0]->process().running) mirrors[0]->Start();
  for (AgentHost* mirror : mirrors) {
    if (!one && !mirror->process().running) mirror->Start();
  }
  SleepFor(seconds(30));
  for (AgentHost* mirror : mirrors) {
    if (!healed_ && !mirror->process().running) mirror->Start();
  }
}

// A mirror leaves S that the Primary can still reach, and the Primary does not hear of it.
void Nemesis::ShrinkAndKill() {
  AgentHost* primary = Primary();
  ManagerHost* leader = Leader();
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(15))) return;
  const std::vector<AgentHost*> mirrors = Mirrors();
  const std::size_t first = scheduler_.Below(2);
  AgentHost* stays = mirrors[first];
  When([](const Record& before, const Record& now) { return before.sync_set != now.sync_set; },
       seconds(15),
       [=, this] {
         CutBoth(primary->node(), leader->name(), seconds(30), true);
         CutBoth(primary->node(), stays->node(), seconds(15), true);
         Later(Between(milliseconds(300), seconds(3)),
               [=, this] { KillFor(*primary, seconds(35)); });
       });
  CutFromManagers(*mirrors[1 - first], seconds(25));
  SleepFor(seconds(40));
}

// A client hears that a write is done which no mirror can have, and the Primary goes.
void Nemesis::KillOnAnswer() {
  AgentHost* primary = Primary();
  const Duration lasting = Between(seconds(3), seconds(8));
  for (AgentHost* mirror : Mirrors()) CutBoth(primary->node(), mirror->node(), lasting, true);
  const Time since = scheduler_.now() + milliseconds(300);
  on_answer_ = [=, this](bool repeated) {
    if (!repeated || scheduler_.now() < since) return;
    Later(Duration(0), [=, this] { KillFor(*primary, seconds(25)); });
  };
  SleepFor(lasting + Between(seconds(1), seconds(20)));
  on_answer_ = nullptr;
}

// --- what is not as it was ---------------------------------------------------------------------

// The Primary's clock stands still, as of a machine that was suspended, and somebody else takes
// over.
void Nemesis::StillClocks() {
  AgentHost* primary = Primary();
  const Duration lasting = Between(seconds(5), seconds(40));
  Trace("the clock of {} stands still for {}", primary->node(), base::FormatDuration(lasting));
  primary->clock().StandStill(lasting);
  for (const auto& manager : cluster_.managers()) {
    if (scheduler_.Chance(0.9)) CutBoth(primary->node(), manager->name(), lasting, true);
  }
  for (AgentHost* mirror : Mirrors()) {
    if (scheduler_.Chance(0.3)) CutBoth(primary->node(), mirror->node(), lasting, true);
  }
  SleepFor(Between(seconds(1), lasting));
  if (scheduler_.Chance(0.3) && !healed_) KillManager();
}

// One token is empty or another pool's from now on, in a run or while its host was away. What it
// held is on the others; it has to stay a failed member.
void Nemesis::StrangeToken() {
  const auto strange = [](const auto& host) { return host->stranger(); };
  const auto& all = cluster_.agents();
  if (std::any_of(all.begin(), all.end(), strange)) return KillManager();
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(15))) return;
  AgentHost& host = scheduler_.Chance(0.5) ? *Primary() : AnyAgent();
  const bool running = scheduler_.Chance(0.5);
  const bool empty = scheduler_.Chance(0.5);
  Trace("the token of {} is {}{}", host.node(), empty ? "empty" : "another pool's",
        running ? "" : " when it returns");
  if (!running) KillFor(host, Between(milliseconds(200), seconds(25)));
  if (empty) {
    host.EmptyToken();
  } else {
    host.ForeignToken();
  }
  SleepFor(Between(seconds(1), seconds(20)));
}

// --- two leaders ---------------------------------------------------------------------------------

// A leader is about to swap R for P2 when another takes over and changes S; and then it goes on.
void Nemesis::SlowPromotion() {
  AgentHost* primary = Primary();
  ManagerHost* slow = Leader();
  avoided_ = slow;
  const std::vector<AgentHost*> mirrors = Mirrors();
  if (mirrors.size() != 2) return AnyFault();
  AgentHost* stays = mirrors[0];
  AgentHost* comes = mirrors[1];
  if (comes->process().running) comes->Kill(false);
  Trace("kill {}", comes->node());
  const auto restart = [=, this] {
    if (!healed_ && !comes->process().running) comes->Start();
  };
  if (!Await([=, this] { return SyncSet() == std::set{stays->node()}; }, seconds(20)))
    return restart();
  CutBoth(primary->node(), slow->name(), seconds(40), true);
  auto paused = std::make_shared<bool>(false);
  When(
      [=, this](const Record&, const Record& now) {
        const auto device = cluster_.Device();
        return now.phase == ArbiterPhase::kNormal && device && device->status.promotion;
      },
      seconds(25),
      [=, this] {
        Trace("pause {} before its P2", slow->name());
        scheduler_.Pause(slow->process(), scheduler_.now() + seconds(30));
        *paused = true;
      });
  const bool begun = Await([=] { return *paused; }, seconds(25));
  restart();
  if (!begun || !Await([this] { return SyncSet().size() == 2; }, seconds(25))) return;
  // The other leader brings up to date who lags, so this takes luck.
  CutBoth(primary->node(), stays->node(), seconds(10), true);
  SleepFor(Between(milliseconds(300), seconds(3)));
  KillFor(*primary, seconds(30));
  scheduler_.Unpause(slow->process());
  SleepFor(seconds(25));
}

// A leader has proved a change of S and is about to swap R when another makes another change; and
// then it goes on.
void Nemesis::SlowChangeOfSet() {
  AgentHost* primary = Primary();
  ManagerHost* slow = Leader();
  avoided_ = slow;
  if (!Await([this] { return SyncSet().size() == 2; }, seconds(15))) return;
  const std::vector<AgentHost*> mirrors = Mirrors();
  AgentHost* first = mirrors[0];
  AgentHost* second = mirrors[1];
  auto paused = std::make_shared<bool>(false);
  cluster_.network().SetWitness([=, this](const SimNetwork::Letter& letter) {
    if (letter.verb != "prepare" || letter.from != slow->name() || *paused) return;
    Trace("pause {} after its prepare", slow->name());
    *paused = true;
    scheduler_.Pause(slow->process(), scheduler_.now() + seconds(40));
  });
  CutFromManagers(*second, seconds(60));
  const bool begun = Await([=] { return *paused; }, seconds(15));
  if (healed_) return;
  for (const auto& manager : cluster_.managers()) Uncut(second->node(), manager->name());
  cluster_.network().SetWitness(nullptr);
  if (!begun) return;
  CutFromManagers(*first, seconds(60));
  CutBoth(primary->node(), first->node(), seconds(45), true);
  if (!Await([=, this] { return SyncSet() == std::set{second->node()}; }, seconds(30))) return;
  SleepFor(Between(milliseconds(300), milliseconds(1500)));
  scheduler_.Unpause(slow->process());
  SleepFor(Between(milliseconds(50), milliseconds(500)));
  KillFor(*primary, seconds(35));
  for (const auto& manager : cluster_.managers()) Uncut(first->node(), manager->name());
  SleepFor(seconds(25));
}

}  // namespace hsmops::sim
