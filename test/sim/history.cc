#include "test/sim/history.h"

#include <fmt/format.h>

namespace hsmops::sim {

void History::Fail(std::string what) {
  if (!violation_) violation_ = Violation{std::move(what)};
}

std::size_t History::BeginWrite(const std::string& name, const std::string& value) {
  writes_.push_back({name, value, cluster_.scheduler().now(), {}, {}});
  return writes_.size() - 1;
}

void History::Acknowledged(std::size_t write, const store::Version& version, bool repeated) {
  Write& one = writes_[write];
  const Time now = cluster_.scheduler().now();
  if (!repeated) one.version = version;
  one.told = now;
  ++acknowledged_;
  // What was told before this was asked comes before it.
  for (const auto& [other, answer] : acked_[one.name]) {
    if (other == version && answer.own && !repeated)
      Fail(fmt::format("two writes of {} have version {}", one.name, version.Full()));
    if (answer.told < one.asked && other > version) {
      Fail(fmt::format("{} {} was acknowledged after {} and is below it", one.name, version.Full(),
                       other.Full()));
    }
  }
  for (const Answer& answer : answers_[one.name]) {
    if (answer.told < one.asked && answer.version > version)
      Fail(fmt::format("{} {} is below what was read before", one.name, version.Full()));
  }
  // Another's write may have been told first that this version is there.
  auto [at, first] =
      acked_[one.name].try_emplace(version, Answer{one.asked, now, version, !repeated});
  at->second.told = std::min(at->second.told, now);
  at->second.own = at->second.own || !repeated;
  store::Version& floor = floor_[one.name];
  floor = std::max(floor, version);
  // I4: whoever is the Primary of a later epoch has it.
  for (const auto& host : cluster_.agents()) {
    if (!host->GateOpen() || host->epoch() <= version.epoch) continue;
    CheckHolds(*host, fmt::format("when {} was acknowledged", version.Full()));
  }
}

void History::Read(const std::string& name, Time asked, const std::optional<std::string>& value,
                   const store::Version& version) {
  const Time now = cluster_.scheduler().now();
  reads_.push_back(name);
  for (const auto& [other, answer] : acked_[name]) {
    if (answer.told < asked && other > version) {
      Fail(fmt::format("a read of {} was answered with {} after {} was acknowledged", name,
                       value ? version.Full() : "nothing", other.Full()));
    }
  }
  for (const Answer& answer : answers_[name]) {
    if (answer.told < asked && answer.version > version)
      Fail(fmt::format("a read of {} was answered with {} after another with {}", name,
                       value ? version.Full() : "nothing", answer.version.Full()));
  }
  if (!value) return;
  bool asked_for = false;
  for (const Write& write : writes_) {
    if (write.name != name || write.value != *value) continue;
    asked_for = write.asked <= now;
    if (write.version && *write.version != version)
      Fail(fmt::format("{} of {} was read as version {}", write.version->Full(), name,
                       version.Full()));
  }
  if (!asked_for) Fail(fmt::format("a read of {} was answered with what nobody wrote", name));
  answers_[name].push_back({asked, now, version, true});
}

void History::Look() {
  LookAtGates();
  LookAtArbiter();
  LookAtEpochs();
}

// I3, I5.
void History::LookAtGates() {
  const AgentHost* open = nullptr;
  for (const auto& host : cluster_.agents()) {
    if (!host->GateOpen()) continue;
    if (open != nullptr && !two_gates_allowed_)
      Fail(fmt::format("I3: the gates of {} and {} are open at once", open->node(), host->node()));
    open = host.get();
    store::Epoch& last = opened_[host->node()];
    if (last == host->epoch()) continue;
    last = host->epoch();
    CheckHolds(*host, fmt::format("I5: when its gate opened in epoch {}", last.ToString()));
  }
}

// I1.
void History::LookAtArbiter() {
  if (looked_at_writes_ == cluster_.store_writes()) return;
  looked_at_writes_ = cluster_.store_writes();
  std::optional<cluster::Arbiter> now = cluster_.Arbiter();
  if (!now) return;
  if (arbiter_ && now->epoch.counter < arbiter_->epoch.counter)
    Fail(fmt::format("I1: R's epoch went from {} to {}", arbiter_->epoch.counter,
                     now->epoch.counter));
  if (now->holder) {
    auto [at, first] = holders_.try_emplace(now->epoch.counter, now->holder->node_name);
    if (!first && at->second != now->holder->node_name)
      Fail(fmt::format("I1: epoch {} has the holders {} and {}", now->epoch.counter, at->second,
                       now->holder->node_name));
  }
  arbiter_ = std::move(now);
}

// I2.
void History::LookAtEpochs() {
  for (const auto& host : cluster_.agents()) {
    store::Epoch& before = epochs_[host->node()];
    if (host->epoch() < before)
      Fail(fmt::format("I2: the highest epoch of {} went from {} to {}", host->node(),
                       before.ToString(), host->epoch().ToString()));
    before = host->epoch();
  }
}

void History::CheckHolds(const AgentHost& host, const std::string& when) {
  const std::map<store::Id, store::Version> held = host.Held();
  for (const auto& [name, version] : floor_) {
    const store::Id id = store::IdOf(cluster_.pool(), *store::SecretName::Parse(name));
    const auto at = held.find(id);
    if (at != held.end() && at->second >= version) continue;
    Fail(fmt::format("{}: {} lacks {} {}, which was acknowledged; it has {}", when, host.node(),
                     name, version.Full(), at == held.end() ? "nothing" : at->second.Full()));
  }
}

void History::LookAtTheEnd() {
  Look();
  const auto r = cluster_.Arbiter();
  if (!r || !r->holder) return Fail("in the end there is no Primary");
  std::optional<std::map<store::Id, store::Version>> first;
  for (const auto& host : cluster_.agents()) {
    if (host->node() == r->holder->node_name) CheckHolds(*host, "in the end");
    if (first && *first != host->Held())
      Fail(fmt::format("in the end {} and {} hold different things",
                       cluster_.agents().front()->node(), host->node()));
    if (!first) first = host->Held();
  }
  if (r->sync_set.size() + 1 != cluster_.agents().size())
    Fail(fmt::format("in the end {} of {} mirrors are in the sync set", r->sync_set.size(),
                     cluster_.agents().size() - 1));
}

void History::Forgive() {
  floor_.clear();
  acked_.clear();
  answers_.clear();
  holders_.clear();
  arbiter_.reset();
}

}  // namespace hsmops::sim
