#include "libhsmops/manager/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "libhsmops/agent/client.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/cluster/event_recorder.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/agent_endpoints.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

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
  HSM_RETURN_IF_ERROR(CheckMembers(pool->device_));
  (void)pool->TakeMembers();
  return pool;
}

Pool::Pool(World& world, cluster::HSMDevice device, cluster::Versioned<cluster::Arbiter> arbiter,
           const store::Uid& uid)
    : world_(world),
      device_(std::move(device)),
      arbiter_(std::move(arbiter)),
      uid_(uid),
      stranger_(Refusing("it is no node of the device, as far as this manager knows")) {}

Result<void> Pool::CheckMembers(const cluster::HSMDevice& device) {
  const std::string& name = device.metadata.name;
  const std::vector<std::string> nodes = device.MemberNodes();
  if (nodes.empty()) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("device {} has an arbiter and no members: spec.mirroring.endpoints and "
                    "spec.mirroring.targetNodes name none; was its YAML cut off?",
                    name));
  }
  for (const std::string& node : nodes) {
    if (!device.spec.mirroring || !device.spec.mirroring->endpoints.contains(node)) {
      return Error(
          ErrorCode::kInvalid,
          fmt::format("device {}: spec.mirroring.endpoints has no entry for node {}", name, node));
    }
  }
  return {};
}

Pool::Known Pool::Know(const std::string& node) const {
  return {device_.spec.mirroring->endpoints.at(node), MakeMember(node),
          Refusing(fmt::format("it is not on record as a member (new, or away while deletions were "
                               "collected): kubectl hsm reinit --node {}",
                               node))};
}

// True: they are others than before, or at other endpoints.
bool Pool::TakeMembers() {
  nodes_ = device_.MemberNodes();
  std::map<std::string, Known> before = std::exchange(members_, {});
  bool changed = before.size() != nodes_.size();
  for (const std::string& node : nodes_) {
    const auto found = before.find(node);
    const bool same = found != before.end() &&
                      found->second.endpoint == device_.spec.mirroring->endpoints.at(node);
    members_[node] = same ? std::move(found->second) : Know(node);
    changed = changed || !same;
  }
  return changed;
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

Result<bool> Pool::FollowDevice() {
  HSM_TRY(auto now, cluster::LoadIfChanged<cluster::HSMDevice>(world_.resources, device_.metadata));
  if (!now) return false;
  HSM_RETURN_IF_ERROR(CheckMembers(*now));
  device_ = *std::move(now);
  return TakeMembers();
}

Result<bool> Pool::ReloadDevice() {
  const cluster::ObjectMeta& known = device_.metadata;
  HSM_TRY(auto now, cluster::LoadIfChanged<cluster::HSMDevice>(world_.resources, known));
  if (!now) return false;
  if (now->spec != device_.spec) return true;
  device_ = *std::move(now);
  return false;
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
