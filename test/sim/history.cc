#include "test/sim/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hsmops::sim {

namespace {

constexpr std::chrono::milliseconds kTokensPeriod{3000};

}  // namespace

void History::Fail(std::string what) {
  if (!violation_) violation_ = Violation{std::move(what)};
}

std::size_t History::BeginWrite(const std::string& name, const std::string& value, bool remove) {
  writes_.push_back({name, value, remove, cluster_.scheduler().now(), {}, {}});
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
  if (!value) return ReadNothing(name, asked);
  for (const auto& [other, answer] : acked_[name]) {
    if (answer.told < asked && other > version) {
      Fail(fmt::format("a read of {} was answered with {} after {} was acknowledged", name,
                       version.Full(), other.Full()));
    }
  }
  for (const Answer& answer : answers_[name]) {
    if (answer.told < asked && answer.version > version)
      Fail(fmt::format("a read of {} was answered with {} after another with {}", name,
                       version.Full(), answer.version.Full()));
  }
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

// An answer that there is nothing has no version: it may follow any deletion that is not known to
// come before what was told.
void History::ReadNothing(const std::string& name, Time asked) {
  store::Version least;
  for (const auto& [version, answer] : acked_[name]) {
    if (answer.told < asked) least = std::max(least, version);
  }
  for (const Answer& answer : answers_[name]) {
    if (answer.told < asked) least = std::max(least, answer.version);
  }
  if (least == store::Version{} || MayBeGone(name, least)) return;
  Fail(fmt::format("a read of {} was answered with nothing after {}", name, least.Full()));
}

// A deletion that was never answered, or by another's version, may have any.
bool History::MayBeGone(const std::string& name, const store::Version& version) const {
  return std::any_of(writes_.begin(), writes_.end(), [&](const Write& write) {
    return write.remove && write.name == name && (!write.version || *write.version >= version);
  });
}

std::map<store::Id, store::Version> History::HeldForGood(const AgentHost& host) const {
  std::map<store::Id, store::Version> held = host.Held();
  for (const Write& write : writes_) {
    const auto floor = floor_.find(write.name);
    const store::Version least = floor == floor_.end() ? store::Version{} : floor->second;
    if (write.remove && MayBeGone(write.name, least))
      held.erase(store::IdOf(cluster_.pool(), *store::SecretName::Parse(write.name)));
  }
  return held;
}

void History::Look() {
  LookAtGates();
  LookAtArbiter();
  LookAtEpochs();
  if (cluster_.scheduler().now() - tokens_looked_at_ < kTokensPeriod) return;
  tokens_looked_at_ = cluster_.scheduler().now();
  LookAtTokens();
  LookAtSyncSet();
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
    if (host->stranger())
      Fail(fmt::format("I8: {} was promoted, and its token is not the pool's", host->node()));
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
    if (now->sync_set.contains(now->holder->member_uid))
      Fail(fmt::format("I7: R counts the Primary {} among its own mirrors", at->second));
  }
  const bool changed = !arbiter_ || arbiter_->generation != now->generation;
  arbiter_ = std::move(now);
  if (changed) LookAtSyncSet();
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

// I6: what was there is there, or something later, or it was set aside or deleted. A crash takes
// what was not durable yet, and nobody has counted on.
void History::LookAtTokens() {
  for (const auto& host : cluster_.agents()) LookAtToken(*host, kept_[host->node()]);
}

void History::LookAtToken(const AgentHost& host, Kept& kept) {
  std::map<store::Id, store::Version> now = host.Held();
  if (host.stranger() && !now.empty())
    Fail(fmt::format("I8: {} was given records for a token that is not the pool's", host.node()));
  if (kept.life == host.life() && kept.stranger == host.stranger()) {
    for (const auto& [id, version] : kept.held) {
      const auto at = now.find(id);
      if (at != now.end() && at->second >= version) continue;
      if (host.Quarantined().contains({id, version}) || MayBeGone(id, version)) continue;
      Fail(fmt::format("I6: {} had {} of a secret and has {} now", host.node(), version.Full(),
                       at == now.end() ? "nothing" : at->second.Full()));
    }
  }
  kept = {host.life(), host.stranger(), std::move(now)};
}

bool History::MayBeGone(const store::Id& id, const store::Version& version) const {
  return std::any_of(writes_.begin(), writes_.end(), [&](const Write& write) {
    return write.remove && (!write.version || *write.version >= version) &&
           store::IdOf(cluster_.pool(), *store::SecretName::Parse(write.name)) == id;
  });
}

// I7. While a promotion runs it is P5 that says who has to answer.
void History::LookAtSyncSet() {
  const auto& r = arbiter_;
  if (!r || r->phase != cluster::ArbiterPhase::kNormal) return;
  std::vector<std::map<store::Id, store::Version>> members;
  for (const auto& host : cluster_.agents()) {
    if (r->sync_set.contains(store::UidText(host->uid()))) members.push_back(host->HeldOrLost());
  }
  const std::size_t needed = std::min(members.size(), static_cast<std::size_t>(std::max(r->k, 0)));
  for (const auto& [name, version] : floor_) {
    const store::Id id = store::IdOf(cluster_.pool(), *store::SecretName::Parse(name));
    const auto holds = [&](const auto& held) {
      const auto at = held.find(id);
      return at != held.end() && at->second >= version;
    };
    const auto on = static_cast<std::size_t>(std::count_if(members.begin(), members.end(), holds));
    if (on >= needed || MayBeGone(name, version)) continue;
    Fail(fmt::format("I7: {} {} is on {} of {} members of S, and {} must have it", name,
                     version.Full(), on, members.size(), needed));
  }
}

// I9.
void History::Said(const std::string& sentence) {
  if (sentence.find(kMarker) != std::string::npos) Fail("I9: a value is in: " + sentence);
}

void History::LookForValues() {
  for (const cluster::Kind kind : cluster::kAllKinds) {
    const auto all = cluster_.shared().List(kind, kNamespace);
    if (!all.ok()) continue;
    for (const cluster::Object& object : all->items) Said(object.document().dump());
  }
}

void History::CheckHolds(const AgentHost& host, const std::string& when) {
  const std::map<store::Id, store::Version> held = host.Held();
  for (const auto& [name, version] : floor_) {
    const store::Id id = store::IdOf(cluster_.pool(), *store::SecretName::Parse(name));
    const auto at = held.find(id);
    if (at != held.end() ? at->second >= version : MayBeGone(name, version)) continue;
    Fail(fmt::format("{}: {} lacks {} {}, which was acknowledged; it has {}", when, host.node(),
                     name, version.Full(), at == held.end() ? "nothing" : at->second.Full()));
  }
}

void History::LookAtTheEnd() {
  Look();
  LookForValues();
  const auto r = cluster_.Arbiter();
  if (!r || !r->holder) return Fail("in the end there is no Primary");
  const auto& all = cluster_.agents();
  const auto strangers = static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& host) { return host->stranger(); }));
  std::optional<std::map<store::Id, store::Version>> first;
  for (const auto& host : cluster_.agents()) {
    if (host->stranger()) continue;
    if (host->node() == r->holder->node_name) CheckHolds(*host, "in the end");
    if (first && *first != HeldForGood(*host))
      Fail(fmt::format("in the end {} and {} hold different things",
                       cluster_.agents().front()->node(), host->node()));
    if (!first) first = HeldForGood(*host);
  }
  if (r->sync_set.size() + 1 + strangers != cluster_.agents().size())
    Fail(fmt::format("in the end {} of {} mirrors are in the sync set", r->sync_set.size(),
                     cluster_.agents().size() - 1 - strangers));
}

void History::Forgive() {
  floor_.clear();
  acked_.clear();
  answers_.clear();
  holders_.clear();
  arbiter_.reset();
}

}  // namespace hsmops::sim
