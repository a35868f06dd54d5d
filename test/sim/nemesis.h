// Nemesis: what goes wrong in a run. Faults by chance, and plots: what has to come together for one
// guard of protocol.md, 3, to be needed, which chance alone brings about too seldom.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "test/sim/cluster.h"

namespace hsmops::sim {

inline constexpr Link kUsualLink{
    false, false, 0, 0, std::chrono::microseconds(200), std::chrono::milliseconds(3)};
inline constexpr int kClients = 3;

// The remainder of the seed says which, so that `sim --from T --step kThemes` runs one of them.
enum class Theme : std::uint8_t {
  kAny0,  // faults by chance, more of them than of the others
  kAny1,
  kAny2,
  kKillPrimaryAndLeader,
  kFlapMirror,
  kStaleReplicas,
  kFreshReplicas,
  kLateGrants,
  kOldGrantLate,
  kLagAndKill,
  kLagAndUnplug,
  kGrowAndKill,
  kShrinkAndKill,
  kSlowPromotion,
  kSlowChangeOfSet,
  kLeaderDiesAtFencePoint,
  kKillOnAnswer,
  kFarRates,
  kForced,
  // Of no seed: only for who asks for them (sim --theme N), so that the runs of the others stay.
  kStillClocks,
  kStrangeToken,
};
inline constexpr std::uint64_t kThemes = 19;

class Nemesis {
 public:
  struct Options {
    Theme theme;
    bool trace;
  };
  Nemesis(Scheduler& scheduler, Cluster& cluster, Process& tester, const Options& options);

  static Theme ThemeOf(std::uint64_t seed) { return static_cast<Theme>(seed % kThemes); }
  // What kind of cluster the theme needs.
  static ClusterOptions Choose(Scheduler& scheduler, Theme theme);

  void Begin();
  // After each turn of a fibre: whether something that was waited for has come.
  void Look();
  void ClientWasTold(bool repeated);
  // `then` is called when a forced failover has given up what was acknowledged before.
  void OnAcceptedLoss(Task then) { on_accepted_loss_ = std::move(then); }
  // Nothing goes wrong from now on.
  void Heal();
  bool healed() const { return healed_; }
  // Clients that wait for this one would write nothing meanwhile.
  const ManagerHost* avoided() const { return avoided_; }

 private:
  using Record = cluster::Arbiter;
  // Whether R went from `before` to what was waited for.
  using Change = std::function<bool(const Record& before, const Record& now)>;
  struct Wait {
    Change change;
    Task then;
    Time until;
  };

  template <typename... Args>
  void Trace(fmt::format_string<Args...> format, Args&&... args) {
    if (!options_.trace) return;
    Print(fmt::format(format, std::forward<Args>(args)...));
  }
  void Print(const std::string& line) const;
  void TraceRecord();
  Duration Between(Duration least, Duration most);
  void SleepFor(Duration duration) { scheduler_.SleepUntil(scheduler_.now() + duration); }
  void Later(Duration after, Task task);
  // Once, the next time that R changes so within this time; `then` must not block.
  void When(Change change, Duration within, Task then);
  // When it is so, or after that long: false.
  bool Await(const std::function<bool()>& so, Duration longest);

  AgentHost& AnyAgent();
  AgentHost& SomeAgent();      // more often the one that matters
  ManagerHost& SomeManager();  // more often the leader
  AgentHost* Primary();
  ManagerHost* Leader();
  std::vector<AgentHost*> Mirrors();  // in any order
  std::vector<std::string> Everybody() const;
  std::set<std::string> SyncSet();  // nodes

  // Faults by chance.
  void OneFault();
  void AnyFault();
  void KillPrimaryAndLeader();
  void FlapMirror();
  void Bounce(AgentHost& host);
  void KillManager();
  void PauseSomebody();
  void CutLinks();
  void LoseMessages();
  void CutStore();
  void DoubtStore();
  void JumpWall();
  void Unplug();

  // Faults on purpose.
  void CutBoth(const std::string& a, const std::string& b, Duration lasting, bool refuses = false);
  void CutFromManagers(const AgentHost& host, Duration lasting);
  void KillFor(AgentHost& host, Duration away);
  void KillFor(ManagerHost& host, Duration away);
  void UnplugFor(AgentHost& host, Duration lasting);
  void Uncut(const std::string& a, const std::string& b);

  // Plots; each waits for what it needs, and lets go when it does not come.
  void Plot();
  void SplitPrimary(double stale);
  void LateGrants();
  void OldGrantLate();
  void LagAndKill(bool unplug);
  void GrowAndKill();
  void ShrinkAndKill();
  void SlowPromotion();
  void SlowChangeOfSet();
  void LeaderDiesAtFencePoint();
  void KillOnAnswer();
  void FarRates();
  void Forced();
  void StillClocks();
  void StrangeToken();
  std::string AskForFailover(const AgentHost& target);  // its name

  Scheduler& scheduler_;
  Cluster& cluster_;
  Process& tester_;
  const Options options_;
  const Theme theme_;
  bool healed_ = false;
  const ManagerHost* avoided_ = nullptr;
  std::vector<Wait> waits_;
  std::optional<Record> seen_;
  std::uint64_t seen_writes_ = 0;
  std::uint64_t traced_writes_ = 0;
  std::uint64_t traced_generation_ = 0;
  std::function<void(bool repeated)> on_answer_;
  Task on_accepted_loss_;
  int operations_ = 0;
};

}  // namespace hsmops::sim
