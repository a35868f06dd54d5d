#include "libhsmops/agent/replicating_agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "libhsmops/base/mutant.h"

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::Acknowledged;
using mirror::SyncRule;

namespace {

constexpr std::chrono::seconds kSettlePause{1};

// Every write of a batch has a name of its own.
bool SharesName(const std::set<std::string>& names, const std::vector<store::Write>& writes) {
  return std::any_of(writes.begin(), writes.end(),
                     [&](const store::Write& write) { return names.contains(write.name.text()); });
}

std::vector<Result<Acknowledged>> Everywhere(std::size_t count, const Error& error) {
  return std::vector<Result<Acknowledged>>(count, error);
}

}  // namespace

class ReplicatingAgent::Turn {
 public:
  explicit Turn(ReplicatingAgent& agent) : agent_(agent) {
    const std::lock_guard lock(*agent_.monitor_);
    while (agent_.proving_ || (agent_.writing_ && !agent_.waiting_)) agent_.monitor_->Wait();
    agent_.proving_ = true;
  }
  ~Turn() {
    const std::lock_guard lock(*agent_.monitor_);
    agent_.proving_ = false;
    agent_.monitor_->NotifyAll();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  ReplicatingAgent& agent_;
};

ReplicatingAgent::ReplicatingAgent(const store::Uid& pool, const store::Uid& member,
                                   std::string node, token::Token& token, store::Ledger& ledger,
                                   base::Clock& clock, base::Rng& rng, base::Executor& executor,
                                   Reacher reacher)
    : Agent(pool, member, token, ledger, clock, rng, executor.MakeMonitor()),
      node_(std::move(node)),
      executor_(executor),
      reacher_(std::move(reacher)),
      monitor_(executor.MakeMonitor()) {}

ReplicatingAgent::~ReplicatingAgent() {
  const std::lock_guard lock(*monitor_);
  for (auto& [member, stream] : streams_) {
    stream.Close();
    while (stream.sending()) monitor_->Wait();
  }
}

Result<std::vector<Result<Acknowledged>>> ReplicatingAgent::Put(const mirror::Stamp& stamp,
                                                                std::vector<store::Write> writes) {
  if (writes.size() > mirror::kMaxPut) {
    return Error(ErrorCode::kLimit, fmt::format("{} writes at once, at most {} are taken",
                                                writes.size(), mirror::kMaxPut));
  }
  HSM_RETURN_IF_ERROR(Gate());
  Ticket ticket{stamp, std::move(writes), {}, false};
  const std::lock_guard lock(*monitor_);
  if (ending_) return Error(ErrorCode::kUnavailable, "this agent is ending; nothing was tried");
  if (queue_.size() >= kMaxQueuedPuts)
    return Error(ErrorCode::kUnavailable, "too many writes are waiting; none of these was tried");
  queue_.push_back(&ticket);
  while (!ticket.done) {
    if (writing_ || proving_) {
      monitor_->Wait();
      continue;
    }
    // Whoever comes first writes for all.
    const std::vector<Ticket*> batch = TakeBatch();
    writing_ = true;
    monitor_->unlock();
    WriteBatch(batch);
    monitor_->lock();
    for (Ticket* written : batch) written->done = true;
    writing_ = false;
    monitor_->NotifyAll();
  }
  return std::move(ticket.results);
}

void ReplicatingAgent::RefuseWrites() {
  const std::lock_guard lock(*monitor_);
  ending_ = true;
}

bool ReplicatingAgent::Writes() {
  const std::lock_guard lock(*monitor_);
  return writing_ || !queue_.empty();
}

std::vector<ReplicatingAgent::Ticket*> ReplicatingAgent::TakeBatch() {
  std::vector<Ticket*> batch;
  std::deque<Ticket*> later;
  std::set<std::string> names;
  std::size_t size = 0;
  for (Ticket* ticket : queue_) {
    if (size + ticket->writes.size() > mirror::kMaxPut || SharesName(names, ticket->writes)) {
      later.push_back(ticket);
      // A later write of a name never overtakes an earlier one.
      for (const store::Write& write : ticket->writes) names.insert(write.name.text());
      continue;
    }
    size += ticket->writes.size();
    for (const store::Write& write : ticket->writes) names.insert(write.name.text());
    batch.push_back(ticket);
  }
  queue_ = std::move(later);
  return batch;
}

void ReplicatingAgent::WriteBatch(const std::vector<Ticket*>& batch) {
  std::vector<store::Write> writes;
  std::vector<std::optional<store::OpId>> ids;
  std::vector<std::size_t> sizes;
  for (Ticket* ticket : batch) {
    sizes.push_back(ticket->writes.size());
    for (store::Write& write : ticket->writes) {
      write.only_repeat = TooLate(ticket->stamp, write.op_id);
      ids.push_back(write.settles ? std::nullopt : std::optional(write.op_id));
      writes.push_back(std::move(write));
    }
  }
  std::vector<Result<Acknowledged>> results = Replicate(std::move(writes));
  RememberDone(ids, results);
  auto next = results.begin();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto end = next + static_cast<std::ptrdiff_t>(sizes[i]);
    batch[i]->results.assign(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
  }
}

// A secret remembers its last few opIds. One that was done and pushed out by later writes must not
// be done again: it is remembered here for as long as a stamp of its time is taken, and a stamp of
// another process or an older one is taken for none.
bool ReplicatingAgent::TooLate(const mirror::Stamp& stamp, const store::OpId& id) const {
  const base::Duration age = Now().since_boot - stamp.at;
  const bool fresh = stamp.run == run() && age >= base::Duration(0) && age <= mirror::kFreshStamp;
  return !fresh || done_.contains(id);
}

void ReplicatingAgent::RememberDone(const std::vector<std::optional<store::OpId>>& ids,
                                    const std::vector<Result<Acknowledged>>& results) {
  const base::TimePoint now = Now();
  while (!done_in_order_.empty() && now - done_in_order_.front().first > 2 * mirror::kFreshStamp) {
    done_.erase(done_in_order_.front().second);
    done_in_order_.pop_front();
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!ids[i] || (!results[i].ok() && !results[i].Is(ErrorCode::kInDoubt))) continue;
    if (done_.insert(*ids[i]).second) done_in_order_.emplace_back(now, *ids[i]);
  }
}

std::vector<Result<Acknowledged>> ReplicatingAgent::Replicate(std::vector<store::Write> writes) {
  const std::optional<Reach> reach = gatekeeper().Reaches();
  if (!reach)
    return Everywhere(writes.size(),
                      Error(ErrorCode::kReadOnly, "this member has no grant to write"));
  if (std::string why = WhyStrictCannot(*reach); !why.empty()) return RefuseStrictly(writes, why);
  std::set<store::Id> ids;
  for (const store::Write& write : writes) ids.insert(store::IdOf(pool(), write.name));
  {
    const std::lock_guard lock(*monitor_);
    for (auto& [member, stream] : streams_) stream.Supersede(ids);
    in_flight_ = std::move(ids);
  }
  auto delivery = std::make_shared<Delivery>(
      mirror::ReplicatedBatch::Stage(node_, *this, reach->max_object_bytes, std::move(writes)),
      store::Term{reach->epoch, reach->generation});
  if (!delivery->batch.settled()) AwaitEnough(delivery);
  const std::lock_guard lock(*monitor_);
  in_flight_.clear();
  return delivery->batch.TakeResults();
}

// Else each would be written here and end in doubt. A mirror that did not answer is asked at every
// look whether it does again.
std::string ReplicatingAgent::WhyStrictCannot(const Reach& reach) {
  const std::lock_guard lock(*monitor_);
  for (const SyncRule& rule : reach.rules) {
    if (!rule.strict) continue;
    if (rule.RefusesAll())
      return fmt::format("durability Strict: {} mirrors are in the sync set, {} must hold a write",
                         rule.members.size(), rule.Needed());
    const auto silent = static_cast<std::size_t>(
        std::ranges::count_if(rule.members, [this](const store::Uid& member) {
          const auto stream = streams_.find(member);
          return stream != streams_.end() && stream->second.unreached();
        }));
    if (rule.members.size() - silent >= rule.Needed()) continue;
    return fmt::format(
        "durability Strict: {} of {} mirrors in the sync set answer, {} must hold a write",
        rule.members.size() - silent, rule.members.size(), rule.Needed());
  }
  return {};
}

// What an earlier try has written is not refused: it may yet be acknowledged.
std::vector<Result<Acknowledged>> ReplicatingAgent::RefuseStrictly(
    const std::vector<store::Write>& writes, const std::string& why) {
  std::vector<Result<Acknowledged>> results;
  for (const store::Write& write : writes) {
    const auto written = Remembers(write.name, write.op_id);
    if (!written.ok()) {
      results.emplace_back(Error(ErrorCode::kUnavailable, written.error().message()));
    } else if (*written) {
      results.emplace_back(
          Error(ErrorCode::kInDoubt, "written by an earlier try, not acknowledged: " + why));
    } else {
      results.emplace_back(Error(ErrorCode::kReadOnly, why + "; nothing was tried"));
    }
  }
  return results;
}

// W7 and W8: until enough have confirmed, all have answered, or it may not write any more. Whoever
// comes into S meanwhile gets the batch as well, and who left it is not waited for.
void ReplicatingAgent::AwaitEnough(const std::shared_ptr<Delivery>& delivery) {
  mirror::ReplicatedBatch& batch = delivery->batch;
  std::unique_lock lock(*monitor_);
  waiting_ = true;
  monitor_->NotifyAll();
  for (;;) {
    if (const auto senders = OfferToAll(delivery); !senders.empty()) {
      lock.unlock();
      for (MirrorStream* stream : senders) executor_.Start([stream] { stream->Send(); });
      lock.lock();
    }
    const std::vector<mirror::Confirmation> confirmations = batch.Confirmations();
    const bool open = Gate().ok();
    if (!Enough(confirmations) && delivery->awaited > 0 && open) {
      monitor_->Wait();
      continue;
    }
    lock.unlock();
    const auto acknowledged = Acknowledge(confirmations);
    lock.lock();
    batch.Settle(acknowledged);
    // A rule that came in between may want others, who are still to answer.
    if (batch.settled() || !acknowledged.ok() || delivery->awaited == 0 || !open) break;
  }
  waiting_ = false;
}

// The streams that nobody sends from yet.
std::vector<MirrorStream*> ReplicatingAgent::OfferToAll(const std::shared_ptr<Delivery>& delivery) {
  std::vector<MirrorStream*> idle;
  const std::optional<Reach> reach = gatekeeper().Reaches();
  if (!reach) return idle;
  for (const SyncRule& rule : reach->rules) {
    for (const store::Uid& member : rule.members) {
      const auto address = reach->peers.find(member);
      if (address == reach->peers.end()) continue;  // it cannot confirm, which W8 sees
      if (delivery->offered.contains(member)) continue;
      MirrorStream& stream = StreamTo(member, address->second);
      if (stream.Offer(delivery)) idle.push_back(&stream);
    }
  }
  return idle;
}

bool ReplicatingAgent::Enough(const std::vector<mirror::Confirmation>& confirmations) {
  return std::all_of(
      confirmations.begin(), confirmations.end(),
      [&](const mirror::Confirmation& one) { return gatekeeper().WhyNotEnough(one.by).empty(); });
}

MirrorStream& ReplicatingAgent::StreamTo(const store::Uid& member,
                                         const mirror::PeerAddress& address) {
  MirrorStream& stream = streams_.try_emplace(member, member, *monitor_, clock()).first->second;
  stream.Reach(address, [&] { return reacher_(member, address); });
  return stream;
}

Result<ReplicatingAgent::Holding> ReplicatingAgent::WhoHolds(const Reach& reach,
                                                             const std::vector<SyncRule>& rules) {
  mirror::Members mirrors;
  std::map<std::string, store::Uid> uids;
  std::vector<std::shared_ptr<mirror::Member>> held_on_to;  // whatever their streams reach by then
  Holding holding;
  for (const SyncRule& rule : rules) {
    for (const store::Uid& member : rule.members) {
      const auto address = reach.peers.find(member);
      if (address == reach.peers.end() || uids.contains(address->second.node)) continue;
      const std::lock_guard lock(*monitor_);
      held_on_to.push_back(StreamTo(member, address->second).member());
      mirrors[address->second.node] = held_on_to.back().get();
      uids[address->second.node] = member;
    }
  }
  if (mirrors.empty()) return holding;
  HSM_TRY(const mirror::Comparison comparison,
          mirror::CopyMissing(node_, *this, mirrors, {reach.epoch, reach.generation}, executor_));
  for (const std::string& node : comparison.equal) holding.equal.insert(uids.at(node));
  for (const store::InventoryItem& item : comparison.source.items) {
    if (item.state == store::InventoryItem::State::kDamaged) holding.unread.insert(item.id);
  }
  for (const std::string& node : comparison.Holders()) holding.all.insert(uids.at(node));
  const std::lock_guard lock(*monitor_);
  for (const store::Uid& member : holding.equal) streams_.at(member).Answered();
  for (const auto& mirror : comparison.mirrors) {
    if (mirror.inventory.ok()) {
      holding.Lacks(mirror.node, " differs");
      continue;
    }
    holding.silent = true;
    holding.Lacks(mirror.node, ": " + mirror.inventory.error().message());
    // Those outside S are sent nothing else by which it would be known.
    if (IsSilence(mirror.inventory.error()))
      streams_.at(uids.at(mirror.node)).LeaveAlone(mirror.inventory.error());
  }
  monitor_->NotifyAll();  // who waited for one of them has its answer
  return holding;
}

Error ReplicatingAgent::TooFewHold(const Holding& holding) const {
  return {ErrorCode::kUnavailable,
          fmt::format("too few members hold all that {} holds ({})", node_,
                      holding.missing.empty() ? "the sync set is too small" : holding.missing)};
}

Result<void> ReplicatingAgent::MeetNewcomers(const Reach& reach,
                                             const std::set<store::Uid>& newcomers) {
  if (newcomers.empty() || base::On(base::Mutant::kNotCaughtUp)) return {};
  HSM_TRY(const Holding holding, WhoHolds(reach, {SyncRule{newcomers}}));
  return holding.silent ? TooFewHold(holding) : Result<void>();
}

Result<void> ReplicatingAgent::ProveHeld(const Reach& reach, const SyncRule& rule,
                                         const std::set<store::Uid>& newcomers) {
  if (base::On(base::Mutant::kNotCaughtUp)) return {};
  HSM_TRY(const Holding holding, WhoHolds(reach, {rule}));
  const bool joined = std::ranges::includes(holding.equal, newcomers);
  if (joined && rule.HeldBy(holding.equal)) return {};
  return TooFewHold(holding);
}

// What was valid here when this process began counts as acknowledged, though its mirrors may never
// have seen it; so they must hold it before it is served (protocol.md, 3, I7).
Result<void> ReplicatingAgent::Settle() {
  const Turn turn(*this);
  const std::optional<Reach> reach = gatekeeper().Reaches();
  if (!reach) return Error(ErrorCode::kReadOnly, "this member has no grant to write");
  {
    const std::lock_guard lock(*monitor_);
    if (settled_ == reach->epoch) return {};
    // Mirrors that hang are not waited for by one read after the other.
    if (unsettled_ && unsettled_->epoch == reach->epoch && Now() - unsettled_->at < kSettlePause)
      return unsettled_->why;
  }
  const Result<void> held = SettleHeld(*reach);
  const std::lock_guard lock(*monitor_);
  unsettled_.reset();
  if (held.ok()) {
    settled_ = reach->epoch;
  } else {
    unsettled_.emplace(Unsettled{Now(), reach->epoch, held.error()});
  }
  return held;
}

Result<void> ReplicatingAgent::SettleHeld(const Reach& reach) {
  if (base::On(base::Mutant::kNotCaughtUp)) return {};
  HSM_TRY(const Holding holding, WhoHolds(reach, reach.rules));
  const bool held = std::ranges::all_of(
      reach.rules, [&](const SyncRule& rule) { return rule.HeldBy(holding.all); });
  if (!held) return TooFewHold(holding);
  const std::lock_guard lock(*monitor_);
  passed_over_ = holding.unread;
  return {};
}

bool ReplicatingAgent::PassedOver(const store::Id& id) {
  const std::lock_guard lock(*monitor_);
  return passed_over_.contains(id);
}

bool ReplicatingAgent::Settled() {
  const store::Epoch epoch = gatekeeper().term().epoch;
  const std::lock_guard lock(*monitor_);
  return settled_ == epoch;
}

// Written, and its client was told that it is in doubt: whoever reads it sees it acknowledged or
// not at all. It goes the way of a write, so nobody waits for mirrors that do not answer.
void ReplicatingAgent::SettleName(const store::SecretName& name) {
  const store::Id id = store::IdOf(pool(), name);
  const auto written = PassedOver(id) ? Newest(name) : Unpromised(name);
  if (!written.ok() || !*written) return;
  {
    const std::lock_guard lock(*monitor_);
    if (settling_.contains(id)) {
      while (settling_.contains(id)) monitor_->Wait();
      return;
    }
    if (in_flight_.contains(id)) return;  // its own batch is about to acknowledge it
    // Where mirrors refuse it, not every read tries again.
    const auto tried = left_in_doubt_.find(id);
    if (tried != left_in_doubt_.end() && Now() - tried->second < kSettlePause) return;
    settling_.insert(id);
  }
  store::Write write{name};
  write.settles = **written;
  std::vector<store::Write> writes;
  writes.push_back(std::move(write));
  const auto settled = Put({}, std::move(writes));
  const std::lock_guard lock(*monitor_);
  left_in_doubt_.erase(id);
  if (!settled.ok() || !settled->front().ok()) {
    left_in_doubt_[id] = Now();
  } else {
    passed_over_.erase(id);
  }
  settling_.erase(id);
  monitor_->NotifyAll();
}

Result<void> ReplicatingAgent::Prepare(const store::Term& term, const SyncRule& rule,
                                       const mirror::PeerAddresses& peers) {
  std::set<store::Uid> newcomers = rule.members;
  const Reach reach{term.epoch, term.generation, {}, peers, 0};
  if (const auto granted = gatekeeper().Reaches()) {
    for (const store::Uid& member : granted->rules.front().members) newcomers.erase(member);
    // Before puts wait for them.
    if (granted->epoch == term.epoch) HSM_RETURN_IF_ERROR(MeetNewcomers(reach, newcomers));
  }
  HSM_RETURN_IF_ERROR(Agent::Prepare(term, rule, peers));
  const Turn turn(*this);
  const auto proved = ProveHeld(reach, rule, newcomers);
  if (proved.ok()) return {};
  gatekeeper().Unprepare(term, rule);
  return proved.error();
}

Result<mirror::MemberStatus> ReplicatingAgent::Status(bool live) {
  HSM_TRY(mirror::MemberStatus status, Agent::Status(live));
  if (!status.primary) return status;
  if (const auto reach = gatekeeper().Reaches()) status.prepared = reach->rules.size() - 1;
  std::vector<MirrorStream*> to_ask;
  {
    const std::lock_guard lock(*monitor_);
    for (auto& [member, stream] : streams_) {
      if (stream.unreached()) status.unreached.insert(member);
      if (stream.AskAgain()) to_ask.push_back(&stream);
    }
  }
  for (MirrorStream* stream : to_ask) executor_.Start([stream] { stream->Send(); });
  return status;
}

void ReplicatingAgent::LookAgain() {
  const std::lock_guard lock(*monitor_);
  monitor_->NotifyAll();
}

Result<void> ReplicatingAgent::OpenGate(const mirror::Grant& grant) {
  auto opened = Agent::OpenGate(grant);
  LookAgain();
  return opened;
}

Result<mirror::FenceAnswer> ReplicatingAgent::Fence(const store::Term& term) {
  auto answer = Agent::Fence(term);
  LookAgain();
  return answer;
}

Result<void> ReplicatingAgent::Quiesce(base::Duration limit) {
  auto quiesced = Agent::Quiesce(limit);
  LookAgain();
  return quiesced;
}

Result<mirror::ReadResult> ReplicatingAgent::Read(const store::SecretName& name, bool as_primary) {
  if (as_primary) {
    HSM_RETURN_IF_ERROR(Gate());
    if (!Settled()) HSM_RETURN_IF_ERROR(Settle());
    SettleName(name);  // where that fails the read says what is not acknowledged
    const bool unsettled = PassedOver(store::IdOf(pool(), name));
    if (const auto newest = Newest(name); unsettled && newest.ok() && *newest)
      return Error(ErrorCode::kUnavailable,
                   "it was damaged here, and too few members are known to hold it");
  }
  return Agent::Read(name, as_primary);
}

}  // namespace hsmops::agent
