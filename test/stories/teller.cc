#include "test/stories/teller.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/store/label.h"
#include "test/sim/history.h"
#include "test/stories/client.h"
#include "test/stories/notebook.h"
#include "test/stories/script.h"
#include "test/stories/stage.h"
#include "test/stories/watcher.h"

namespace hsmops::stories {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Result;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kSeed = 1;  // of nonces and uids; nothing else is left to chance
// Until all copies are equal; no round number, so that nothing happens at the time of a turn.
constexpr milliseconds kPreparation{10'130};
constexpr milliseconds kTurn{500};  // as RunManager has it

// "failover.mode" of the device, as its YAML would have it.
Result<void> Set(cluster::HSMDevice& device, const std::string& path, const std::string& value) {
  nlohmann::json document = device.ToJson();
  std::string pointer = "/spec/mirroring/" + path;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  const bool word = nlohmann::json::parse(value, nullptr, false).is_discarded();
  document[nlohmann::json::json_pointer(pointer)] =
      word ? nlohmann::json(value) : nlohmann::json::parse(value);
  HSM_TRY(device, cluster::HSMDevice::FromJson(document));
  return {};
}

class Teller {
 public:
  explicit Teller(const Script& script)
      : script_(script),
        scheduler_(kSeed),
        notebook_(scheduler_),
        cluster_(scheduler_, Options()),
        history_(cluster_),
        stage_(cluster_),
        client_(cluster_, history_, notebook_, tester_),
        watcher_(cluster_, notebook_, [this](const std::string& step) { Came(step); }) {
    scheduler_.KeepOrder();
    for (const auto& host : cluster_.agents())
      notebook_.Call(store::UidText(host->uid()), "uid-of-" + host->node());
    notebook_.Call(store::UidText(cluster_.pool()), "uid-of-the-pool");
  }
  ~Teller() { scheduler_.Finish(); }

  Result<std::string> Go() {
    cluster_.network().SetWitness(
        [this](const sim::SimNetwork::Letter& letter) { Delivered(letter); });
    if (wrong_) return *wrong_;
    cluster_.Begin();
    Run(kPreparation);
    notebook_.Begin();
    SetOut();
    const sim::Time end = scheduler_.now() + script_.end;
    if (script_.write_every > Duration(0)) client_.Write(script_.write_every, end);
    if (script_.read_every > Duration(0)) client_.Read(script_.read_every, end);
    for (std::size_t i = 0; i < script_.acts.size(); ++i) {
      if (script_.acts[i].moment.empty()) Later(script_.acts[i].at, i);
    }
    Run(end);
    Close();
    if (wrong_) return *wrong_;
    return notebook_.text();
  }

 private:
  sim::ClusterOptions Options() {
    sim::ClusterOptions options;
    options.nodes = script_.nodes;
    options.managers = script_.managers;
    options.rho = 0;
    options.slow_calls = 0;
    options.grant = seconds(10);
    options.turn = kTurn;
    options.at_once = true;
    options.shape = [this](cluster::HSMDevice& device) {
      device.spec.mirroring->failover = {};
      device.spec.mirroring->failover.min_interval = seconds(0);
      device.spec.mirroring->sync_interval = cluster::MirroringSpec{}.sync_interval;
      for (const auto& [path, value] : script_.settings) {
        if (auto set = Set(device, path, value); !set.ok()) wrong_ = set.error().Within(path);
      }
    };
    options.told = [this](const std::string& manager, const std::string& sentence) {
      if (sentence == told_) return;
      told_ = sentence;
      notebook_.Write(manager + ": " + sentence);
    };
    return options;
  }

  void Run(sim::Time until) {
    (void)scheduler_.RunUntil(until, [this] {
      history_.Look();
      watcher_.Look();
      for (const std::string& step : std::exchange(come_, {})) Fire(step);
      return !wrong_;
    });
  }

  // --- acts ---

  void Later(Duration after, std::size_t act) {
    scheduler_.At(scheduler_.now() + after, [this, act] { Do(act); });
  }

  void Do(std::size_t at) {
    const Act& act = script_.acts[at];
    done_.insert(at);
    std::string who;
    if (act.words.size() > 1) {
      const auto hosts = stage_.Who(act.words[1]);
      if (hosts.size() != 1 || hosts.front() != act.words[1])
        who = fmt::format(" ({})", fmt::join(hosts, ", "));
      if (hosts.empty()) who = "";
    }
    notebook_.Write(fmt::format("! {}{}", act.text, who));
    const bool before = stage_.loss_accepted();
    if (auto acted = stage_.Do(act.words); !acted.ok()) wrong_ = acted.error().Within(act.text);
    if (act.words[0] == "still") history_.AllowTwoGates();
    if (act.words[0] == "restore" || before != stage_.loss_accepted()) history_.Forgive();
  }

  // A promotion has come there; what is to be done then is done when the fibre has left.
  void Came(const std::string& step) {
    come_.push_back(step);
    if (step == "P4") waited_ = true;
    if (step == "P2" || step == "P7") waited_ = false;
    promoting_ = step[0] == 'P' && step != "P7" && step != "P8" ? true : promoting_;
    if (step == "P7") {
      promoting_ = false;
      seated_ = true;
    }
  }

  void Delivered(const sim::SimNetwork::Letter& letter) {
    if (letter.from.rfind("manager-", 0) != 0) return;
    if (letter.verb == "fence" && promoting_) Came("P3");
    if (letter.verb == "digest" && waited_) {
      waited_ = false;
      Came("P5");
    }
    if (letter.verb == "apply") come_.push_back(promoting_ ? "pull" : "copy");
    if (letter.verb == "freeze") Came("P6");
    if (letter.verb == "open-gate" && seated_) {
      seated_ = false;
      Came("P8");
    }
  }

  // What waits for this step and has nothing above it that is still to be done.
  void Fire(const std::string& step) {
    bool fired = false;
    for (std::size_t i = 0; i < script_.acts.size(); ++i) {
      if (done_.contains(i)) continue;
      if (script_.acts[i].moment != step || (script_.acts[i].next && fired)) return;
      fired = true;
      done_.insert(i);
      if (script_.acts[i].at == Duration(0)) {
        Do(i);
      } else {
        Later(script_.acts[i].at, i);
      }
    }
  }

  // --- before and after ---

  void SetOut() {
    const auto r = cluster_.Arbiter();
    notebook_.Write(fmt::format("R: epoch {}, holder {}, S: {}; {} leads", cluster::Text(r->epoch),
                                r->holder ? r->holder->node_name : "nobody",
                                watcher_.NodesOf(r->sync_set),
                                stage_.Leader() ? stage_.Leader()->name() : "nobody"));
  }

  void Close() {
    const auto r = cluster_.Arbiter();
    const auto device = cluster_.Device();
    notebook_.Close("");
    for (std::size_t i = 0; i < script_.acts.size(); ++i) {
      if (!done_.contains(i)) notebook_.Close("never came: " + script_.acts[i].text);
    }
    for (const auto& host : cluster_.agents()) notebook_.Close(SumOf(*host));
    for (const cluster::Finding& finding : device->status.findings) {
      notebook_.Close(fmt::format("{} {} of {}: {}; next: {}", cluster::Name(finding.severity),
                                  finding.reason, finding.subject, finding.message,
                                  finding.next_step));
    }
    for (const cluster::HistoryEntry& entry : device->status.history) {
      notebook_.Close(fmt::format("history: {} {} {} from {} to {}, epoch {}, lost {}: {}",
                                  entry.time ? base::FormatTime(*entry.time) : "-", entry.type,
                                  entry.outcome, entry.from, entry.to, entry.epoch,
                                  entry.lost.empty() ? "not known yet" : entry.lost, entry.cause));
    }
    notebook_.Close("client: " + client_.Sum());
    notebook_.Close("acknowledged and not on the Primary: " + client_.Lost(stage_.Primary()));
    if (history_.violation()) notebook_.Close("VIOLATION: " + history_.violation()->what);
  }

  static std::string SumOf(sim::AgentHost& host) {
    if (!host.process().running) return host.node() + ": does not run";
    std::size_t aside = 0;
    for (const std::string& text : host.memory().Labels()) {
      const auto label = store::Label::Parse(text);
      if (label && label->kind == store::Label::Kind::kQuarantine) ++aside;
    }
    return fmt::format("{}: epoch {}, gate {}, {} secrets, {} in quarantine", host.node(),
                       host.epoch().counter, host.GateOpen() ? "open" : "closed",
                       host.Held().size(), aside);
  }

  const Script& script_;
  std::optional<Error> wrong_;
  sim::Process tester_{"tester", 1, true, {}};
  sim::Scheduler scheduler_;
  Notebook notebook_;
  sim::Cluster cluster_;
  sim::History history_;
  Stage stage_;
  Client client_;
  Watcher watcher_;
  std::string told_;
  std::vector<std::string> come_;
  std::set<std::size_t> done_;  // acts
  bool promoting_ = false;
  bool waited_ = false;
  bool seated_ = false;
};

}  // namespace

Result<std::string> Tell(const std::string& text) {
  HSM_TRY(const Script script, Script::Parse(text));
  return Teller(script).Go();
}

}  // namespace hsmops::stories
