#include "test/stories/client.h"

#include <fmt/format.h>

#include <cctype>

namespace hsmops::stories {

using base::Error;
using base::ErrorCode;
using base::Result;
using std::chrono::seconds;

namespace {

constexpr seconds kAskAgain{2};

Error NobodyRuns() { return {ErrorCode::kUnavailable, "no manager runs"}; }

std::string NameOf(int number) { return fmt::format("app/{}", number); }
std::string ValueOf(int number) { return fmt::format("{}-{}", sim::kMarker, number); }

// The same sentence of another write or version is no news.
std::string Kind(const std::string& why) {
  std::string kind = why.substr(0, why.find(" ("));
  std::erase_if(kind, [](unsigned char c) { return std::isdigit(c); });
  return kind;
}

// "1-3, 5"
std::string Ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", numbers[i]);
    if (end > i) text += fmt::format("-{}", numbers[end]);
    i = end + 1;
  }
  return text.empty() ? "none" : text;
}

}  // namespace

Client::Client(sim::Cluster& cluster, sim::History& history, Notebook& notebook,
               sim::Process& process)
    : cluster_(cluster),
      history_(history),
      notebook_(notebook),
      process_(process),
      clock_(cluster.scheduler(), 1.0, seconds(1000)),
      transport_(cluster.network(), kClient, {sim::kTrustDomain, net::Role::kManager, kClient},
                 clock_) {
  for (std::size_t i = 1; i <= cluster.managers().size(); ++i)
    managers_.push_back(cluster.Client(transport_, clock_, static_cast<int>(i)));
}

void Client::Write(base::Duration every, sim::Time until) {
  sim::Scheduler& scheduler = cluster_.scheduler();
  scheduler.Spawn(&process_, [this, &scheduler, every, until] {
    while (!scheduler.dead() && scheduler.now() < until) {
      writes_.emplace_back();
      const int number = static_cast<int>(writes_.size());
      scheduler.Spawn(&process_, [this, number] { WriteOne(number); });
      clock_.SleepFor(every);
    }
  });
}

void Client::Read(base::Duration every, sim::Time until) {
  sim::Scheduler& scheduler = cluster_.scheduler();
  scheduler.Spawn(&process_, [this, &scheduler, every, until] {
    while (!scheduler.dead() && scheduler.now() < until) {
      clock_.SleepFor(every);
      scheduler.Spawn(&process_, [this] { ReadOne(); });
    }
  });
}

manager::LiveClient* Client::Ready() {
  for (std::size_t i = 0; i < managers_.size(); ++i) {
    const std::size_t at = turn_++ % managers_.size();
    if (cluster_.managers()[at]->process().running) return managers_[at].get();
  }
  return nullptr;
}

Result<mirror::Acknowledged> Client::Put(const mirror::Stamp& stamp, int number,
                                         const store::OpId& op) {
  manager::LiveClient* manager = Ready();
  if (manager == nullptr) return NobodyRuns();
  std::vector<store::Write> writes;
  store::Keys keys;
  keys.emplace("v", base::SecretBytes::FromText(ValueOf(number)));
  writes.push_back(
      {.name = *store::SecretName::Parse(NameOf(number)), .keys = std::move(keys), .op_id = op});
  HSM_TRY(auto results, manager->Put(stamp, writes));
  return std::move(results.front());
}

void Client::WriteOne(int number) {
  sim::SimRng rng(cluster_.scheduler());
  const store::OpId op = rng.Array<16>();
  notebook_.Call(store::OpIdText(op), fmt::format("op-{}", number));
  const std::size_t write = history_.BeginWrite(NameOf(number), ValueOf(number), false);
  manager::LiveClient* manager = Ready();
  const auto stamp =
      manager == nullptr ? Result<mirror::Stamp>(NobodyRuns()) : manager->TakeStamp();
  if (cluster_.scheduler().dead()) return;
  if (!stamp.ok()) return Failed(number, stamp.error());
  for (;;) {
    const auto put = Put(*stamp, number, op);
    if (cluster_.scheduler().dead()) return;
    if (put.ok()) {
      history_.Acknowledged(write, put->version, put->repeated);
      writes_[static_cast<std::size_t>(number) - 1].version = put->version;
      return Acknowledged(number);
    }
    Failed(number, put.error());
    if (!writes_[static_cast<std::size_t>(number) - 1].doubted) return;
    clock_.SleepFor(kAskAgain);
  }
}

void Client::Acknowledged(int number) {
  Asked& asked = writes_[static_cast<std::size_t>(number) - 1];
  asked.acknowledged = true;
  if (asked.doubted && said_.insert("settled").second)
    notebook_.Write(fmt::format("client: write {}, which was in doubt, is acknowledged", number));
  if (number < last_ || (!works_ && asked.doubted)) return;  // it says nothing of now
  if (!works_) {
    notebook_.Write(
        fmt::format("client: write {} is acknowledged; the last before was {}, then {} were "
                    "refused and {} in doubt",
                    number, last_, refused_, doubted_));
  }
  works_ = true;
  last_ = number;
  refused_ = 0;
  doubted_ = 0;
  said_.clear();
}

void Client::Failed(int number, const Error& error) {
  Asked& asked = writes_[static_cast<std::size_t>(number) - 1];
  const bool doubt = error.code() == ErrorCode::kInDoubt;
  const bool again = asked.doubted;
  if (again && error.code() == ErrorCode::kConflict) {
    asked = {.refused = true};
    if (!said_.insert("conflict").second) return;
    return notebook_.Write(fmt::format("client: write {}, which was in doubt, is refused: {}",
                                       number, error.message()));
  }
  asked.doubted = asked.doubted || doubt;
  asked.refused = !asked.doubted;
  if (number < last_ && !doubt) return;  // it says nothing of now
  works_ = works_ && number < last_;
  if (!again) ++(doubt ? doubted_ : refused_);
  const std::string why = fmt::format("{}: {}", base::Name(error.code()), error.message());
  if (!said_.insert((again ? "again " : "") + Kind(why)).second) return;
  notebook_.Write(fmt::format("client: write {} {}: {}", number,
                              again   ? "stays in doubt"
                              : doubt ? "is in doubt"
                                      : "is refused",
                              why));
}

void Client::ReadOne() {
  int number = 0;
  for (std::size_t i = 0; i < writes_.size(); ++i)
    if (writes_[i].acknowledged) number = static_cast<int>(i) + 1;
  if (number == 0) return;
  const sim::Time asked = cluster_.scheduler().now();
  manager::LiveClient* manager = Ready();
  const auto served = manager == nullptr ? Result<manager::Served>(NobodyRuns())
                                         : manager->Get(*store::SecretName::Parse(NameOf(number)));
  if (cluster_.scheduler().dead() || asked < read_asked_) return;
  read_asked_ = asked;
  std::string what;
  if (!served.ok()) {
    what = fmt::format("fail: {}: {}", base::Name(served.error().code()), served.error().message());
  } else if (served->by_primary) {
    what = "are answered by the Primary, " + served->node;
    if (served->secret) {
      const auto value = served->secret->keys.at("v").view();
      history_.Read(NameOf(number), asked, std::string(value.begin(), value.end()),
                    served->secret->version);
    } else {
      history_.Read(NameOf(number), asked, std::nullopt, {});
    }
  } else {
    what = fmt::format("are marked{}, from {}: {}", served->secret ? "" : ", find nothing",
                       served->node, served->why_not_primary);
  }
  if (what != read_) notebook_.Write("client: reads " + what);
  read_ = what;
}

std::string Client::Sum() const {
  int acknowledged = 0;
  std::vector<int> doubted;
  int settled = 0;
  int refused = 0;
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    const Asked& write = writes_[i];
    if (write.acknowledged) ++acknowledged;
    if (write.doubted && write.acknowledged) ++settled;
    if (write.doubted && !write.acknowledged) doubted.push_back(static_cast<int>(i) + 1);
    if (write.refused) ++refused;
  }
  return fmt::format(
      "{} writes: {} acknowledged ({} of them in doubt before), {} refused, in doubt to the end: "
      "{}",
      writes_.size(), acknowledged, settled, refused, Ranges(doubted));
}

std::string Client::Lost(const sim::AgentHost* primary) const {
  if (primary == nullptr) return "nobody is the Primary";
  const auto held = primary->Held();
  std::vector<int> lost;
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (!writes_[i].acknowledged) continue;
    const int number = static_cast<int>(i) + 1;
    const auto at =
        held.find(store::IdOf(cluster_.pool(), *store::SecretName::Parse(NameOf(number))));
    if (at == held.end() || at->second < writes_[i].version) lost.push_back(number);
  }
  return Ranges(lost);
}

}  // namespace hsmops::stories
