#include "libhsmops/manager/sync_set_keeper.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/sync_record.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using failover::ClusterState;
using failover::MemberView;

namespace {

// More than a request to an agent may take.
constexpr std::chrono::seconds kLongestProof{15};

}  // namespace

void SyncSetKeeper::Forget() {
  refusals_.clear();
  prepared_.reset();
}

Result<std::optional<Turned>> SyncSetKeeper::Keep(Pool& pool, const ClusterState& state,
                                                  const Failing& found, const Syncer& sync) {
  HSM_RETURN_IF_ERROR(FollowSpec(pool));
  HSM_RETURN_IF_ERROR(old_grants_.Forget(pool));
  const bool strict = pool.device().durability() == cluster::Durability::kStrict;
  std::set<std::string> failing = found.unreached;
  failing.insert(found.unhealthy.begin(), found.unhealthy.end());
  for (const MemberView& member : state.members) {
    if (EqualToPrimary(state, member)) refusals_.erase(member.node);  // filled by whichever way
  }
  const std::set<std::string> refusing = Refusing(found.threshold);
  failing.insert(refusing.begin(), refusing.end());
  const failover::SyncSetChange change = failover::DecideSyncSet(state, failing, strict);
  if (!change.drop.empty() || change.drop_strangers) {
    auto dropped = Drop(pool, change, found.unhealthy, refusing);
    if (dropped.ok()) return std::optional(*std::move(dropped));
    // Who stays may lack too much for it.
    HSM_RETURN_IF_ERROR(CatchUp(pool, change, sync));
    return dropped.error();
  }
  HSM_RETURN_IF_ERROR(CatchUp(pool, change, sync));
  return Add(pool, state, change, found.beside);
}

Result<Turned> SyncSetKeeper::Drop(Pool& pool, const failover::SyncSetChange& change,
                                   const std::set<std::string>& unhealthy,
                                   const std::set<std::string>& refusing) {
  std::vector<std::string> nodes = pool.SyncSetNodes();  // without strangers
  std::erase_if(nodes, [&](const std::string& node) { return change.drop.contains(node); });
  HSM_RETURN_IF_ERROR(ChangeSyncSet(pool, nodes));
  if (change.drop.empty())
    return Turned{"who is no node of the device any more left the sync set", true};
  const auto all_in = [&](const std::set<std::string>& all) {
    return std::ranges::includes(all, change.drop);
  };
  return Turned{fmt::format("{} left the sync set: {}", fmt::join(change.drop, ", "),
                            all_in(unhealthy)  ? "unhealthy"
                            : all_in(refusing) ? "it does not take what it lacks"
                                               : "out of the Primary's reach"),
                true};
}

Result<void> SyncSetKeeper::CatchUp(Pool& pool, const failover::SyncSetChange& change,
                                    const Syncer& sync) {
  if (change.lagging.empty() || !sync) return {};
  SyncOptions options;
  options.only = change.lagging;
  options.collect = false;
  HSM_TRY(const SyncReport report, sync(options));
  if (report.Notable()) RecordSync(pool, report);
  NoteRefusals(change.lagging, report);
  return {};
}

Result<std::optional<Turned>> SyncSetKeeper::Add(Pool& pool, const ClusterState& state,
                                                 failover::SyncSetChange change, bool beside) {
  const int k = pool.device().MinSyncMirrors(pool.nodes().size());
  std::vector<std::string> nodes = pool.SyncSetNodes();
  nodes.insert(nodes.end(), change.add.begin(), change.add.end());
  if (change.add.empty() && k == pool.arbiter().k) {
    HSM_RETURN_IF_ERROR(EndPrepared(pool, state, beside));
    return std::optional<Turned>();
  }
  const std::set<std::string> before = pool.arbiter().sync_set;
  auto joined = ChangeSyncSet(pool, nodes, k);
  if (!joined.ok() && change.add.size() > 1) joined = AddOne(pool, change.add, k);
  if (!joined.ok()) {
    HSM_RETURN_IF_ERROR(EndPrepared(pool, state, beside));
    return std::optional(Turned{fmt::format("{} did not come into the sync set: {}",
                                            fmt::join(change.add, ", "), joined.error().message()),
                                false});
  }
  if (before == pool.arbiter().sync_set) return std::optional<Turned>();
  return std::optional(
      Turned{fmt::format("{} came into the sync set", fmt::join(change.add, ", ")), true});
}

// One of several that cannot come in does not keep out the others, who follow in later turns.
Result<void> SyncSetKeeper::AddOne(Pool& pool, std::set<std::string>& candidates, int k) {
  Result<void> last;
  for (const std::string& node : candidates) {
    std::vector<std::string> nodes = pool.SyncSetNodes();
    nodes.push_back(node);
    last = ChangeSyncSet(pool, nodes, k);
    if (last.Is(ErrorCode::kConflict)) return last;  // R is another: all is to be judged anew
    if (!last.ok()) continue;
    candidates = {std::string(node)};
    return {};
  }
  return last;
}

// A change of S that was prepared, and whose compare-and-swap somebody else's change or an end of
// its leader prevented, binds the Primary until a grant of a later generation (protocol.md, 3).
Result<void> SyncSetKeeper::EndPrepared(Pool& pool, const ClusterState& state, bool beside) {
  const MemberView* primary = state.Holder();
  const std::uint64_t generation = pool.arbiter().generation;
  const base::TimePoint now = pool.world().clock.Now();
  if (primary == nullptr || !primary->Healthy() || primary->status->prepared == 0) {
    prepared_.reset();
    return {};
  }
  // One that is seen once may be somebody's who is about to swap; beside the turns that may take as
  // long as the Primary needs to prove it.
  if (!prepared_ || prepared_->generation != generation) {
    prepared_ = Prepared{generation, now};
    return {};
  }
  if (beside && now - prepared_->since < kLongestProof) return {};
  prepared_.reset();
  cluster::Arbiter next = pool.arbiter();
  ++next.generation;
  HSM_RETURN_IF_ERROR(pool.SwapDespiteRenewal(next).Within("ending a prepared change"));
  return GrantTo(pool, pool.holder());
}

// Who answers and does not take what it lacks (no room, a token that refuses to write) is as good
// as unhealthy: it confirms nothing, and could not be made the Primary. One that takes everything
// again may come back.
void SyncSetKeeper::NoteRefusals(const std::vector<std::string>& asked, const SyncReport& report) {
  std::set<std::string> refusing;
  for (const mirror::StepError& failed : report.applied.failed) {
    const bool copies = failed.step.kind == mirror::Step::Kind::kCopy;
    if (copies && !failed.of_source && failed.error.code() != ErrorCode::kConflict)
      refusing.insert(failed.step.node);
  }
  for (const std::string& node : asked) {
    if (refusing.contains(node)) {
      ++refusals_[node];
    } else {
      refusals_.erase(node);
    }
  }
}

std::set<std::string> SyncSetKeeper::Refusing(int threshold) const {
  std::set<std::string> nodes;
  for (const auto& [node, times] : refusals_) {
    if (times >= threshold) nodes.insert(node);
  }
  return nodes;
}

}  // namespace hsmops::manager
