#include "libhsmops/manager/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/agent/client.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/event_recorder.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/agent_endpoints.h"
#include "libhsmops/manager/copies.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

bool AllEqual(const failover::ClusterState& state) {
  return std::ranges::all_of(state.members, [&](const failover::MemberView& member) {
    return member.holder || !member.Healthy() || EqualToPrimary(state, member);
  });
}

// Two looks at a Primary that is written to, and a mirror that has by the second what it had at the
// first: members of S miss nothing in between, and their looks are never of one moment.
bool Follows(const mirror::MemberStatus& before, const mirror::MemberStatus& now,
             const failover::MemberView& mirror) {
  return mirror.in_sync_set && now.lsn > before.lsn && mirror.status->lsn >= before.lsn;
}

constexpr int kStatusTries = 5;

// Another spec is for ReloadDevice to tell, which finds another version then.
void TakeStatus(cluster::HSMDevice& device, cluster::HSMDevice now) {
  if (now.spec == device.spec) {
    device = std::move(now);
  } else {
    device.status = std::move(now.status);
  }
}

class Refusal : public agent::Channel {
 public:
  explicit Refusal(std::string why) : why_(std::move(why)) {}
  Result<base::SecretBytes> Call(base::SecretBytes) override {
    return Error(ErrorCode::kUnavailable, why_);
  }

 private:
  std::string why_;
};

std::unique_ptr<mirror::Member> Refusing(std::string why) {
  return std::make_unique<agent::Client>(std::make_unique<Refusal>(std::move(why)));
}

}  // namespace

// A member without a certificate is named by its uid (RFC 4122's URN).
cluster::Holder HolderOf(const store::Uid& pool, const std::string& node) {
  const std::string uid = store::UidText(MemberUid(pool, node));
  return {uid, node, "urn:uuid:" + uid};
}

store::Epoch FromArbiter(const cluster::Epoch& epoch) { return {epoch.counter, epoch.nonce}; }
cluster::Epoch ToArbiter(const store::Epoch& epoch) { return {epoch.counter, epoch.nonce}; }

Result<void> CreateArbiterFor(World& world, const cluster::HSMDevice& device,
                              std::optional<store::Uid> known,
                              std::optional<cluster::Epoch> epoch) {
  const std::vector<std::string> nodes = device.MemberNodes();
  if (nodes.empty())
    return Error(ErrorCode::kInvalid, "the device names no nodes: set spec.mirroring.endpoints");
  const store::Uid pool = known ? *known : world.rng.Array<16>();
  cluster::Arbiter r;
  r.pool_uid = store::UidText(pool);
  for (const std::string& node : nodes) r.members.insert(store::UidText(MemberUid(pool, node)));
  r.holder = HolderOf(pool, nodes.front());
  r.epoch = epoch ? *epoch : cluster::Epoch{1, world.rng.U64()};
  r.k = device.MinSyncMirrors(nodes.size());
  r.grant_duration = device.spec.mirroring ? device.spec.mirroring->failover.grant_duration
                                           : cluster::FailoverSpec{}.grant_duration;
  r.old_grant_duration = r.grant_duration;
  r.generation = 1;
  r.renew_time = world.clock.Wall();
  HSM_TRY(const auto created,
          cluster::CreateArbiter(world.resources, device.metadata.ns, device.metadata.name, r));
  (void)created;  // read again by who opens the pool
  return {};
}

Result<std::unique_ptr<Pool>> Pool::Open(World& world, const std::string& ns,
                                         const std::string& device_name) {
  HSM_TRY(cluster::HSMDevice device,
          cluster::Load<cluster::HSMDevice>(world.resources, ns, device_name));
  auto arbiter = cluster::ReadArbiter(world.resources, ns, device_name);
  if (arbiter.Is(ErrorCode::kNotFound)) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("device {} has no record of who may write (the Lease {}): if it never had "
                    "members {}; if it had, restore the Lease from a backup",
                    device_name, cluster::ArbiterName(device_name),
                    world.enrols ? "managers enrol it by themselves (kubectl hsm health)"
                                 : "run kubectl hsm init --device " + device_name));
  }
  if (!arbiter.ok()) return arbiter.error();
  HSM_TRY(const store::Uid uid, store::ParseUid(arbiter->value.pool_uid));
  std::unique_ptr<Pool> pool(new Pool(world, std::move(device), *std::move(arbiter), uid));
  pool->nodes_ = pool->device_.MemberNodes();
  if (pool->nodes_.empty()) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("device {} has an arbiter and no members: spec.mirroring.endpoints and "
                    "spec.mirroring.targetNodes name none; was its YAML cut off?",
                    device_name));
  }
  for (const std::string& node : pool->nodes_) {
    const auto& mirroring = pool->device_.spec.mirroring;
    if (!mirroring || !mirroring->endpoints.contains(node)) {
      return Error(ErrorCode::kInvalid,
                   fmt::format("device {}: spec.mirroring.endpoints has no entry for node {}",
                               device_name, node));
    }
    pool->members_[node] = pool->MakeMember(node);
    pool->refusals_[node] =
        Refusing(fmt::format("it is not on record as a member (new, or away while deletions were "
                             "collected): kubectl hsm reinit --node {}",
                             node));
  }
  return pool;
}

std::unique_ptr<mirror::Member> Pool::MakeMember(const std::string& node) const {
  const std::string& endpoint = device_.spec.mirroring->endpoints.at(node);
  if (IsNowhere(endpoint)) return Refusing(WhyNowhere(device_.metadata.name, node));
  return world_.make_member(node, endpoint, uid_, MemberUid(uid_, node));
}

std::string Pool::NodeOf(const std::string& member_uid) const {
  for (const std::string& node : nodes_) {
    if (UidTextOf(node) == member_uid) return node;
  }
  return {};
}

Result<void> Pool::Admit(const std::string& node) {
  if (OnRecord(node)) return {};
  cluster::Arbiter next = arbiter_.value;
  next.members.insert(UidTextOf(node));
  ++next.generation;
  return SwapDespiteRenewal(next).Within("putting " + node + " on record");
}

Result<void> Pool::ExpelAbsent() {
  cluster::Arbiter next = arbiter_.value;
  std::erase_if(next.members, [this](const std::string& uid) { return NodeOf(uid).empty(); });
  // Also when nobody is absent: who collects by an R of before would take nobody who has come in
  // since for a member, and would collect what only that one has not got.
  if (next.members != arbiter_.value.members) ++next.generation;
  return SwapDespiteRenewal(next).Within("taking absent members off the record");
}

namespace {

// That R is gone says nothing of any secret.
template <typename T>
Result<T> NeverAbsent(Result<T> arbiter) {
  if (arbiter.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, arbiter.error().message());
  return arbiter;
}

}  // namespace

Result<void> Pool::ReloadArbiter() {
  HSM_TRY(arbiter_, NeverAbsent(cluster::ReadArbiter(world_.resources, device_.metadata.ns,
                                                     device_.metadata.name)));
  return {};
}

Result<void> Pool::ReloadLatestArbiter() {
  HSM_TRY(arbiter_, NeverAbsent(cluster::ReadLatestArbiter(world_.resources, device_.metadata.ns,
                                                           device_.metadata.name)));
  return {};
}

Result<store::Term> Pool::TermNow() {
  HSM_TRY(const auto now, NeverAbsent(cluster::ReadLatestArbiter(
                              world_.resources, device_.metadata.ns, device_.metadata.name)));
  return store::Term{FromArbiter(now.value.epoch), now.value.generation};
}

Result<void> Pool::Swap(cluster::Arbiter next) {
  next.renew_time = world_.clock.Wall();
  HSM_TRY(arbiter_, NeverAbsent(cluster::CompareAndSwap(world_.resources, arbiter_, next)));
  return {};
}

std::string Pool::holder() const {
  return arbiter_.value.holder ? arbiter_.value.holder->node_name : std::string();
}
store::Epoch Pool::epoch() const { return FromArbiter(arbiter_.value.epoch); }

cluster::PreviousTerm Pool::LastTerm() const {
  const cluster::Arbiter& r = arbiter_.value;
  if (r.previous) return *r.previous;
  return {r.holder, r.sync_set, r.k, r.grant_duration, r.epoch};
}

mirror::SyncRule Pool::RuleOf(const cluster::Arbiter& r) const {
  mirror::SyncRule rule;
  for (const std::string& text : r.sync_set) {
    if (const auto uid = store::ParseUid(text); uid.ok()) rule.members.insert(*uid);
  }
  rule.k = static_cast<std::uint64_t>(std::max(r.k, 0));
  rule.all = device_.policy() == cluster::MirroringPolicy::kActive;
  rule.strict = device_.durability() == cluster::Durability::kStrict;
  return rule;
}

mirror::PeerAddresses Pool::PeersOf(const mirror::SyncRule& rule) const {
  mirror::PeerAddresses peers;
  for (const std::string& node : nodes_) {
    const store::Uid uid = MemberUid(uid_, node);
    if (rule.members.contains(uid) && ReachesMirrors(node))
      peers[uid] = {node, device_.spec.mirroring->endpoints.at(node)};
  }
  return peers;
}

bool Pool::ReachesMirrors(const std::string& node) const {
  return device_.spec.mirroring && device_.spec.mirroring->endpoints.contains(node) &&
         device_.spec.mirroring->endpoints.at(node).starts_with("https:");
}

std::uint64_t Pool::max_object_bytes() const {
  std::uint64_t least = 0;
  for (const auto& [node, bytes] : object_bytes_)
    least = least == 0 ? bytes : std::min(least, bytes);
  return least;
}

std::vector<std::string> Pool::SyncSetNodes() const {
  std::vector<std::string> sync_set;
  std::copy_if(nodes_.begin(), nodes_.end(), std::back_inserter(sync_set),
               [this](const std::string& node) {
                 return arbiter_.value.sync_set.contains(UidTextOf(node));
               });
  return sync_set;
}

std::vector<std::string> Pool::Mirrors() const {
  std::vector<std::string> mirrors = nodes_;
  std::erase(mirrors, holder());
  return mirrors;
}

failover::ClusterState Pool::Recorded() const {
  failover::ClusterState state;
  const cluster::Arbiter& r = arbiter_.value;
  if (r.holder) state.holder = r.holder->node_name;
  state.epoch = epoch();
  state.generation = r.generation;
  state.promoting = r.phase == cluster::ArbiterPhase::kPromoting;
  state.older_record = r.previous && !r.previous->holder;
  state.target = r.target.empty() ? "" : NodeOf(r.target);
  state.operation = r.operation_id;
  if (device_.IsBehindAgents()) state.managers = world_.managers;
  const cluster::PreviousTerm term = LastTerm();
  state.needed = static_cast<unsigned>(std::max(term.k, 0));
  state.strangers_in_sync_set = static_cast<unsigned>(
      std::count_if(term.sync_set.begin(), term.sync_set.end(),
                    [this](const std::string& uid) { return NodeOf(uid).empty(); }));
  state.paused_until = device_.status.PausedUntil(world_.clock.Wall());
  for (const auto& entry : device_.status.history) {
    if (entry.IsFailover() && entry.time) state.last_failover = entry.time;
  }
  const cluster::Condition* acknowledged =
      cluster::FindCondition(device_.status.conditions, cluster::kFailoverAcknowledged);
  if (acknowledged != nullptr && acknowledged->status == cluster::ConditionStatus::kTrue)
    state.last_failover.reset();  // the next failover takes the condition back
  for (const std::string& node : nodes_) {
    failover::MemberView view;
    view.node = node;
    view.uid = MemberUid(uid_, node);
    view.standby = device_.IsStandby(node);
    view.holder = state.holder == node;
    view.in_sync_set = term.sync_set.contains(UidTextOf(node));
    if (device_.spec.mirroring) {
      const auto& priorities = device_.spec.mirroring->failover.priorities;
      const auto found = priorities.find(node);
      if (found != priorities.end()) view.priority = found->second;
    }
    state.members.push_back(std::move(view));
  }
  return state;
}

Result<void> Pool::FollowRenewal() {
  auto before = arbiter_;
  HSM_RETURN_IF_ERROR(ReloadArbiter());
  before.value.renew_time = arbiter_.value.renew_time;
  if (arbiter_.value == before.value) return {};
  arbiter_ = std::move(before);  // so that nothing of this turn is swapped by one not judged
  return Error(ErrorCode::kConflict, "R was changed by somebody else meanwhile");
}

Result<void> Pool::SwapDespiteRenewal(const cluster::Arbiter& next) {
  for (int tries = 0;; ++tries) {
    auto swapped = Swap(next);
    if (!swapped.Is(ErrorCode::kConflict) || tries == kStatusTries) return swapped;
    HSM_RETURN_IF_ERROR(FollowRenewal());
  }
}

failover::ClusterState Pool::ObserveAmidWrites() { return AmidWrites(ObserveByLatest(true)); }

failover::ClusterState Pool::AmidWrites(failover::ClusterState state) {
  constexpr int kLooks = 8;
  constexpr std::chrono::seconds kLongest{2};
  const base::TimePoint began = world_.clock.Now();
  for (int looks = 1; looks < kLooks && !AllEqual(state); ++looks) {
    if (world_.clock.Now() - began >= kLongest) break;
    // Who was silent would make each look long.
    const failover::ClusterState again = ObserveSome(false, [&](const std::string& node) {
      const failover::MemberView* member = state.Find(node);
      return member != nullptr && member->Healthy();
    });
    const failover::MemberView* before = state.Holder();
    const failover::MemberView* now = again.Holder();
    const bool known = before != nullptr && before->Healthy() && now != nullptr && now->Healthy();
    for (failover::MemberView& member : state.members) {
      const failover::MemberView* seen = again.Find(member.node);
      if (!known || !member.Healthy() || seen == nullptr || !seen->Healthy()) continue;
      if (EqualToPrimary(again, *seen) || Follows(*before->status, *now->status, *seen))
        member.status->digest = before->status->digest;
    }
    // Where nothing is written it is as it looked.
    if (!known || before->status->digest == now->status->digest) break;
  }
  return state;
}

void Pool::LeaveAlone(const std::string& node, const std::string& operation) {
  left_alone_.reset();
  if (!Has(node)) return;
  left_alone_ = {node, operation,
                 Refusing(fmt::format("{} wipes it and fills it again", operation))};
}

bool Pool::Counts(const std::string& node) const {
  const cluster::PreviousTerm term = LastTerm();
  const std::string uid = UidTextOf(node);
  const bool holds = term.holder && term.holder->node_name == node;
  return holds || holder() == node || term.sync_set.contains(uid) || arbiter_.value.target == uid;
}

void Pool::FollowPolicy() {
  const auto now = cluster::LoadIfChanged<cluster::HSMDevice>(world_.resources, device_.metadata);
  if (!now.ok() || !*now || !(*now)->spec.mirroring || !device_.spec.mirroring) return;
  device_.spec.mirroring->policy = (*now)->spec.mirroring->policy;
  device_.spec.mirroring->durability = (*now)->spec.mirroring->durability;
}

Result<bool> Pool::ReloadDevice() {
  const cluster::ObjectMeta& known = device_.metadata;
  HSM_TRY(auto now, cluster::LoadIfChanged<cluster::HSMDevice>(world_.resources, known));
  if (!now) return false;
  if (now->spec != device_.spec) return true;
  device_ = *std::move(now);
  return false;
}

// What a node that is not on record holds counts for nothing, and its token is left alone, unless
// it was told a later term than R's: then R is an older one, and a later one knows it.
void Pool::Ask(failover::MemberView& view, bool live) {
  if (LeavesAlone(view.node)) {
    view.wiped_by = left_alone_->operation;
    view.status = At(view.node).Status(live);
    return;
  }
  if (OnRecord(view.node)) return AskMember(view, live);
  if (const auto told = Applicant(view.node).Told(); told.ok()) view.told = *told;
  const bool counts = view.ToldLaterThan(term());
  view.status = (counts ? Applicant(view.node) : At(view.node)).Status(live);
}

// What it remembers beside its token is answered at once and counts also where that cannot be read.
// Who does not answer that is not waited for a second time: a silent host costs its time-out once.
void Pool::AskMember(failover::MemberView& view, bool live) {
  mirror::Member& member = At(view.node);
  const Result<store::Term> told = member.Told();
  if (told.ok()) view.told = *told;
  if (told.Is(ErrorCode::kUnavailable)) {
    view.status = told.error();
    return;
  }
  view.status = member.Status(live);
  if (view.status.ok() && view.status->standing != store::Standing::kUnknown)
    view.told = store::Term{view.status->epoch, view.status->generation};
  if (view.holder) view.why_closed = WhyClosed(view);
}

// Between the end of a promotion and the first grant the content has to stay what was confirmed.
std::string Pool::WhyClosed(const failover::MemberView& view) const {
  const std::string& promised = arbiter_.value.target_digest;
  if (promised.empty() || !view.status.ok() || !view.status->digest || view.status->primary)
    return {};
  if (base::Hex(*view.status->digest) == promised) return {};
  return "its content is not what was confirmed at its promotion";
}

failover::ClusterState Pool::Observe(bool live) {
  return ObserveSome(live, [](const std::string&) { return true; });
}

failover::ClusterState Pool::ObserveSome(
    bool live, const std::function<bool(const std::string& node)>& wanted) {
  failover::ClusterState state = Recorded();
  std::vector<base::Executor::Task> tasks;
  for (failover::MemberView& view : state.members) {
    if (!wanted(view.node)) continue;
    tasks.push_back([this, &view, live] {
      const base::TimePoint begin = world_.clock.Now();
      Ask(view, live);
      view.latency = world_.clock.Now() - begin;
    });
  }
  world_.executor.RunAll(std::move(tasks));
  for (const failover::MemberView& view : state.members) {
    if (view.reachable() && view.status->max_object_bytes > 0)
      object_bytes_[view.node] = view.status->max_object_bytes;
  }
  state.overtaken = Overtaken(state);
  return state;
}

// R was read before the members were asked, perhaps of a watch that was late; they may have been
// told of a later one since, which is no older record. A device's status may be ahead of R the same
// way.
bool Pool::Overtaken(const failover::ClusterState& state) {
  const bool later = device_.status.epoch_floor > epoch().counter ||
                     std::ranges::any_of(state.members, [this](const auto& member) {
                       return member.ToldLaterThan(term());
                     });
  return later && !IsLatest();
}

bool Pool::IsLatest() {
  const auto now = TermNow();
  return now.ok() && *now == term();
}

failover::ClusterState Pool::ObserveByLatest(bool live) {
  constexpr int kLooks = 3;  // R changes but a few times in a promotion
  failover::ClusterState state = Observe(live);
  for (int looks = 1; looks < kLooks && state.overtaken; ++looks) {
    if (!ReloadLatestArbiter().ok()) break;
    state = Observe(live);
  }
  return state;
}

Result<void> Pool::UpdateStatus(const std::function<void(cluster::HSMDeviceStatus&)>& change) {
  Result<void> outcome;
  for (int tries = 0; tries < kStatusTries; ++tries) {
    auto now = cluster::Load<cluster::HSMDevice>(world_.resources, device_.metadata.ns,
                                                 device_.metadata.name);
    if (!now.ok()) return now.error();
    const cluster::HSMDeviceStatus before = now->status;
    change(now->status);
    if (now->status == before) {
      TakeStatus(device_, *std::move(now));
      return {};
    }
    auto saved = cluster::SaveStatus(world_.resources, *now);
    if (saved.ok()) {
      TakeStatus(device_, *std::move(saved));
      return {};
    }
    outcome = saved.error();
    if (!saved.Is(ErrorCode::kConflict)) return outcome;
  }
  return outcome;
}

void Pool::Tell(cluster::EventType type, const std::string& reason, const std::string& note) {
  manager::Tell(world_, device_, type, reason, note);
}

void Tell(World& world, const cluster::HSMDevice& device, cluster::EventType type,
          const std::string& reason, const std::string& note) {
  cluster::EventRecorder recorder(world.resources, world.clock, world.rng, "hsm.j5t.io/kubectl-hsm",
                                  "kubectl-hsm");
  (void)recorder.Record(cluster::SubjectOf(device), {type, reason, reason, note});
}

}  // namespace hsmops::manager
