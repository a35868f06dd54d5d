#include "test/sim/run.h"

#include <fmt/format.h>

#include <cstdio>

#include "test/sim/history.h"
#include "test/sim/nemesis.h"

namespace hsmops::sim {

using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kSafety{80};
constexpr seconds kSettle{40};  // after everything healed, with writes,
constexpr seconds kQuiet{30};   // and without
constexpr int kNames = 4;

class Story {
 public:
  explicit Story(const RunOptions& options)
      : options_(options),
        scheduler_(options.seed),
        cluster_(scheduler_, Options()),
        history_(cluster_),
        nemesis_(scheduler_, cluster_, tester_, {ThemeOf(options), options.trace}) {
    if (ThemeOf(options) == Theme::kStillClocks) history_.AllowTwoGates();
  }
  ~Story() { scheduler_.Finish(); }

  Outcome Go() {
    base::SetMutant(options_.mutant);
    cluster_.network().Heal(kUsualLink);
    cluster_.Begin();
    for (int i = 0; i < kClients; ++i) StartClient(i);
    nemesis_.OnAcceptedLoss([this] { history_.Forgive(); });
    nemesis_.Begin();
    const auto step = [this] {
      history_.Look();
      nemesis_.Look();
      return !history_.violation();
    };
    bool whole = scheduler_.RunUntil(kSafety, step);
    if (whole) {
      nemesis_.Heal();
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
        fmt::print(stderr, "{}{} said last: {}\n", manager->name(),
                   manager->leads() ? " (leads)" : "", manager->last_reason());
    }
    scheduler_.Finish();
    base::SetMutant(base::Mutant::kNone);
    return outcome;
  }

 private:
  static Theme ThemeOf(const RunOptions& options) {
    return options.theme.value_or(Nemesis::ThemeOf(options.seed));
  }

  ClusterOptions Options() {
    ClusterOptions chosen = Nemesis::Choose(scheduler_, ThemeOf(options_));
    chosen.told = [this](const std::string&, const std::string& sentence) {
      history_.Said(sentence);
    };
    return chosen;
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
          WriteOne(*client, name, fmt::format("{}-c{}-{}", kMarker, number, ++count));
        } else {
          ReadOne(*client, name);
        }
      }
    });
  }

  manager::LiveClient& Any(Client& client) {
    std::size_t at = scheduler_.Below(client.managers.size());
    if (cluster_.managers()[at].get() == nemesis_.avoided()) at = (at + 1) % client.managers.size();
    return *client.managers[at];
  }

  // The same opId again while the outcome is in doubt, as a client that wants to know does.
  void WriteOne(Client& client, const std::string& name, const std::string& value) {
    SimRng rng(scheduler_);
    const store::OpId op = rng.Array<16>();
    const bool remove = scheduler_.Chance(0.08);
    const std::size_t write = history_.BeginWrite(name, value, remove);
    const auto stamp = Any(client).TakeStamp();
    if (!stamp.ok()) return;
    const int tries = static_cast<int>(1 + scheduler_.Below(5));
    for (int i = 0; i < tries && !scheduler_.dead(); ++i) {
      std::vector<store::Write> writes;
      store::Keys keys;
      if (!remove) keys.emplace("v", base::SecretBytes::FromText(value));
      writes.push_back({.name = *store::SecretName::Parse(name),
                        .keys = std::move(keys),
                        .remove = remove,
                        .op_id = op});
      const auto results = Any(client).Put(*stamp, writes);
      if (!results.ok()) history_.Said(results.error().message());
      if (results.ok() && !results->front().ok()) history_.Said(results->front().error().message());
      if (results.ok() && results->size() == 1 && results->front().ok()) {
        history_.Acknowledged(write, results->front()->version, results->front()->repeated);
        nemesis_.ClientWasTold(results->front()->repeated);
        if (nemesis_.healed()) ++acknowledged_since_heal_;
        return;
      }
      SleepFor(Between(milliseconds(10), milliseconds(500)));
    }
  }

  void ReadOne(Client& client, const std::string& name) {
    const Time asked = scheduler_.now();
    const auto served = Any(client).Get(*store::SecretName::Parse(name));
    if (!served.ok()) history_.Said(served.error().message());
    if (!served.ok() || !served->by_primary) return;
    if (!served->secret) return history_.Read(name, asked, std::nullopt, {});
    const auto value = served->secret->keys.at("v").view();
    history_.Read(name, asked, std::string(value.begin(), value.end()), served->secret->version);
  }

  const RunOptions options_;
  Process tester_{"tester", 1, true, {}};  // clients and what goes wrong
  Scheduler scheduler_;
  Cluster cluster_;
  History history_;
  Nemesis nemesis_;
  std::vector<std::unique_ptr<Client>> clients_;
  bool quiet_ = false;
  bool stuck_ = false;
  std::size_t acknowledged_since_heal_ = 0;
};

}  // namespace

Outcome Run(const RunOptions& options) { return Story(options).Go(); }

}  // namespace hsmops::sim
