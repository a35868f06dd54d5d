// What a pool sees: its members, asked in parallel, beside what is on record.
#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

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

}  // namespace

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

failover::ClusterState Pool::ObserveAmidWrites() { return AmidWrites(ObserveByLatest(true)); }

failover::ClusterState Pool::AmidWrites(failover::ClusterState state) {
  constexpr int kLooks = 8;
  constexpr int kStill = 2;
  constexpr std::chrono::milliseconds kWriteOnItsWay{50};
  int still = 0;
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
    if (!known) break;
    // Where nothing is written it is as it looked; one write on its way looks the same for a
    // moment.
    still = before->status->digest == now->status->digest ? still + 1 : 0;
    if (still == kStill) break;
    if (still > 0) world_.clock.SleepFor(kWriteOnItsWay);
  }
  return state;
}

}  // namespace hsmops::manager
