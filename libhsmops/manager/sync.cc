#include "libhsmops/manager/sync.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "libhsmops/base/mutant.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/grant.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// A repair may uncover the next older thing to repair (a second version to set aside), so a pass is
// repeated while it gets anywhere.
constexpr int kMaxPasses = 8;
constexpr int kSyncSetTries = 8;
// Deletions that are collected in one go: some 10 ms each, in which that member does nothing else.
constexpr std::size_t kMostCollected = 32;

Verified VerifyAll(Pool& pool, const std::vector<std::string>& nodes) {
  Verified verified;
  for (const std::string& node : nodes)
    verified.emplace(node, Error(ErrorCode::kUnavailable, "not asked"));
  std::vector<base::Executor::Task> tasks;
  for (auto& [node, found] : verified) {
    tasks.push_back([&pool, &node = node, &found = found] {
      const auto report = pool.At(node).Verify();
      if (report.ok()) {
        found = std::uint64_t{report->damaged.size()};
      } else {
        found = report.error();
      }
    });
  }
  pool.world().executor.RunAll(std::move(tasks));
  return verified;
}

// Damage that only a re-read shows. A member that cannot be verified keeps its error.
void TakeVerified(const Verified& verified, const std::vector<std::string>& nodes,
                  std::map<std::string, MemberSync>& members) {
  for (const std::string& node : nodes) {
    const auto its = verified.find(node);
    if (its == verified.end()) {
      members[node].error = Error(ErrorCode::kUnavailable, "it was not read again");
    } else if (its->second.ok()) {
      members[node].damaged = *its->second;
    } else {
      members[node].error = its->second.error();
    }
  }
}

void Restrict(mirror::SyncPlan& plan, const std::string& secret, const store::Uid& pool) {
  if (secret.empty()) return;
  const auto name = store::SecretName::Parse(secret);
  const store::Id id = name.ok() ? store::IdOf(pool, *name) : store::Id{};
  std::erase_if(plan.steps, [&](const mirror::Step& step) { return step.id != id; });
  std::erase_if(plan.dead, [&](const store::IdVersion& dead) { return dead.id != id; });
}

Result<std::uint64_t> CollectDead(Pool& pool, const std::string& primary,
                                  const std::vector<store::IdVersion>& dead) {
  if (dead.empty()) return std::uint64_t{0};
  HSM_RETURN_IF_ERROR(pool.ExpelAbsent());
  HSM_RETURN_IF_ERROR(OpenIfPromised(pool));
  // Mirrors first: what the Primary still has can always be told apart from what was never there.
  std::vector<Result<std::uint64_t>> collected(pool.nodes().size(), std::uint64_t{0});
  std::vector<base::Executor::Task> tasks;
  for (std::size_t i = 0; i < collected.size(); ++i) {
    if (pool.nodes()[i] == primary) continue;
    tasks.push_back(
        [&, i] { collected[i] = pool.At(pool.nodes()[i]).CollectTombstones(pool.term(), dead); });
  }
  pool.world().executor.RunAll(std::move(tasks));
  for (const auto& one : collected) {
    if (!one.ok()) return one.error();
  }
  return pool.At(primary).CollectTombstones(pool.term(), dead);
}

void Merge(mirror::ApplyReport& into, mirror::ApplyReport pass) {
  into.copied += pass.copied;
  into.restored += pass.restored;
  into.quarantined += pass.quarantined;
  into.failed = std::move(pass.failed);
  into.alarms = std::move(pass.alarms);
  into.cut_short = pass.cut_short;
}

}  // namespace

bool SyncReport::AllEqual() const {
  return std::all_of(members.begin(), members.end(),
                     [](const MemberSync& member) { return member.equal; });
}

bool SyncReport::Complete() const {
  return AllEqual() && applied.failed.empty() && applied.alarms.empty() && !applied.cut_short &&
         std::none_of(members.begin(), members.end(),
                      [](const MemberSync& member) { return member.error.has_value(); });
}

bool SyncReport::Notable() const {
  return applied.copied + applied.restored + applied.quarantined > 0 || !applied.failed.empty() ||
         !applied.alarms.empty();
}

std::vector<mirror::EpochCut> CutsOf(const Pool& pool) {
  std::vector<mirror::EpochCut> cuts;
  for (const cluster::LsnCut& cut : pool.arbiter().lsn_cuts)
    cuts.push_back({FromArbiter(cut.epoch), cut.lsn});
  return cuts;
}

mirror::Members MembersOf(Pool& pool, const std::vector<std::string>& nodes) {
  mirror::Members members;
  for (const std::string& node : nodes) members[node] = &pool.At(node);
  return members;
}

Result<Comparison> Compare(Pool& pool, const std::string& source,
                           const std::vector<std::string>& mirrors) {
  return mirror::Compare(source, pool.At(source), MembersOf(pool, mirrors), pool.world().executor);
}

Result<Comparison> CatchUp(Pool& pool, const std::string& source,
                           const std::vector<std::string>& mirrors) {
  HSM_TRY(Comparison comparison, Compare(pool, source, mirrors));
  if (comparison.mirrors.empty()) return comparison;
  const mirror::SyncPlan plan =
      mirror::Plan(comparison.source, comparison.mirrors, pool.epoch(), false, CutsOf(pool));
  if (plan.steps.empty() || plan.steps.size() > mirror::kCatchUpSteps) return comparison;
  HSM_RETURN_IF_ERROR(OpenIfPromised(pool));
  (void)mirror::Apply(plan, pool.At(source), MembersOf(pool, pool.nodes()), pool.term(),
                      pool.world().executor,
                      nullptr);  // the comparison tells how far it got
  return Compare(pool, source, mirrors);
}

namespace {

// By an apply of nothing: from then on a wipe that somebody had begun before and that comes late is
// refused (docs/adr/0019).
Result<void> TellNewcomers(Pool& pool, const std::set<std::string>& sync_set) {
  for (const std::string& node : pool.nodes()) {
    const std::string uid = pool.UidTextOf(node);
    if (!sync_set.contains(uid) || pool.arbiter().sync_set.contains(uid)) continue;
    HSM_TRY(const std::uint64_t era, pool.At(node).Era().Within(node));
    HSM_RETURN_IF_ERROR(pool.At(node).Apply(pool.term(), era, {}).Within("telling " + node));
  }
  return {};
}

// Prepared by an R that is no older than the prepare.
Result<void> SetSyncSetOnce(Pool& pool, std::set<std::string> sync_set, std::optional<int> k) {
  cluster::Arbiter next = pool.arbiter();
  next.sync_set = std::move(sync_set);
  next.k = k.value_or(next.k);
  ++next.generation;
  HSM_RETURN_IF_ERROR(TellNewcomers(pool, next.sync_set));
  pool.FollowPolicy();
  const mirror::SyncRule rule = pool.RuleOf(next);
  const std::string primary = pool.holder();
  if (!base::On(base::Mutant::kNoJointStep)) {
    HSM_RETURN_IF_ERROR(pool.At(primary)
                            .Prepare(pool.term(), rule, pool.PeersOf(rule))
                            .Within("preparing " + primary));
  }
  if (base::On(base::Mutant::kSyncSetReread)) {
    HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
    const std::set<std::string> wanted = next.sync_set;
    next = pool.arbiter();
    next.sync_set = wanted;
    if (next.sync_set != pool.arbiter().sync_set) ++next.generation;
  }
  HSM_RETURN_IF_ERROR(pool.Swap(std::move(next)).Within("changing the sync set"));
  // The old rule holds until the next grant.
  if (pool.ReachesMirrors(primary)) (void)GrantTo(pool, primary);
  return {};
}

// R was read before everybody was looked at, which takes seconds where somebody is silent, and is
// renewed all the time. A renewal changes nothing of what was judged, but the Primary is asked anew
// (protocol.md, 3): it may have forgotten the prepare and been given a grant since. A leader that
// ended after a change of R leaves a Primary whose grant is of the generation before, which takes
// no prepare until it has one of R as it is.
Result<void> SetSyncSet(Pool& pool, const std::set<std::string>& sync_set, std::optional<int> k) {
  const cluster::Arbiter& r = pool.arbiter();
  if (sync_set == r.sync_set && k.value_or(r.k) == r.k) return {};
  if (r.holder && sync_set.contains(r.holder->member_uid))
    return Error(ErrorCode::kConflict, "the Primary is no mirror of its own");
  for (int tries = 0;; ++tries) {
    HSM_RETURN_IF_ERROR(pool.FollowRenewal().Within("changing the sync set"));
    auto set = SetSyncSetOnce(pool, sync_set, k);
    const bool behind = set.Is(ErrorCode::kStaleEpoch) && pool.ReachesMirrors(pool.holder());
    if (behind && tries == 0 && GrantTo(pool, pool.holder()).ok()) continue;
    if (!set.Is(ErrorCode::kConflict) || tries == kSyncSetTries) return set;
  }
}

}  // namespace

Result<void> ChangeSyncSet(Pool& pool, const std::vector<std::string>& nodes,
                           std::optional<int> k) {
  std::set<std::string> sync_set;
  for (const std::string& node : nodes) sync_set.insert(pool.UidTextOf(node));
  return SetSyncSet(pool, sync_set, k);
}

Result<void> AddToSyncSet(Pool& pool, const std::string& node) {
  std::set<std::string> sync_set = pool.arbiter().sync_set;
  sync_set.insert(pool.UidTextOf(node));
  return SetSyncSet(pool, sync_set, {});
}

Result<void> TakeFromSyncSet(Pool& pool, const std::string& node) {
  std::set<std::string> sync_set = pool.arbiter().sync_set;
  sync_set.erase(pool.UidTextOf(node));
  return SetSyncSet(pool, sync_set, {});
}

namespace {

// Its share of the time is over.
mirror::GoOn WithinShare(Pool& pool, base::Duration share) {
  if (share == base::Duration(0)) return {};
  base::Clock& clock = pool.world().clock;
  return [&clock, until = clock.Now() + share] { return clock.Now() < until; };
}

// One pass of compare, plan and apply. False: nothing was done, or nothing more can be.
Result<bool> Pass(Pool& pool, const SyncOptions& options, const std::vector<std::string>& mirrors,
                  const mirror::Progress& progress, const mirror::GoOn& go_on, SyncReport& report) {
  HSM_TRY(Comparison comparison, Compare(pool, report.primary, mirrors));
  const bool everybody = mirrors.size() + 1 == pool.nodes().size();
  mirror::SyncPlan plan = mirror::Plan(comparison.source, comparison.mirrors, pool.epoch(),
                                       everybody && comparison.equal.empty(), CutsOf(pool));
  Restrict(plan, options.secret, pool.uid());
  const bool first = report.plan.steps.empty() && report.plan.unknown.empty();
  if (first) report.plan = plan;
  if (options.dry_run || plan.steps.empty()) return false;
  HSM_RETURN_IF_ERROR(OpenIfPromised(pool));
  report.begun = true;
  mirror::ApplyReport pass =
      mirror::Apply(plan, pool.At(report.primary), MembersOf(pool, pool.nodes()), pool.term(),
                    pool.world().executor, progress, go_on);
  const bool progressed = pass.copied + pass.restored + pass.quarantined > 0;
  const bool again = pass.restored + pass.quarantined > 0 && !pass.cut_short;
  Merge(report.applied, std::move(pass));
  return progressed && again;
}

// Tombstones need every bucket of every member, so they are looked for only after everything is
// equal. False: there was nothing to collect, and nobody was touched.
bool CollectTombstones(Pool& pool, SyncReport& report, const std::vector<std::string>& mirrors) {
  auto source = pool.At(report.primary).ReadInventory(std::bitset<store::kBuckets>().set());
  if (!source.ok()) return false;  // the next sync looks again
  const auto is_dead = [](const store::InventoryItem& item) {
    return item.state == store::InventoryItem::State::kTombstone;
  };
  if (std::none_of(source->items.begin(), source->items.end(), is_dead)) return false;
  std::vector<mirror::MemberInventory> inventories;
  for (const std::string& node : mirrors) {
    inventories.push_back(
        {node, pool.At(node).ReadInventory(std::bitset<store::kBuckets>().set())});
  }
  const mirror::SyncPlan plan = mirror::Plan(*source, inventories, pool.epoch(), true);
  if (!plan.steps.empty() || !plan.unknown.empty()) return false;
  report.begun = true;
  std::vector<store::IdVersion> dead = plan.dead;
  // Where others write and look meanwhile, the rest is for another time.
  if (pool.ReachesMirrors(report.primary) && dead.size() > kMostCollected) {
    report.uncollected = dead.size() - kMostCollected;
    dead.resize(kMostCollected);
  }
  if (auto collected = CollectDead(pool, report.primary, dead); collected.ok()) {
    report.collected = *collected;
  } else {
    report.uncollected = 0;  // the next sync looks again
  }
  return true;
}

// Whoever leaves takes confirmations along that P5 counts on, so S shrinks only to members that
// were all compared just now, and otherwise only grows (protocol.md, 3). A Primary that proves by
// itself what a change of S needs goes on writing meanwhile: who is not equal at this moment may
// well be at the next, and who is unhealthy is not for here.
Result<void> TakeInOnce(Pool& pool, const SyncOptions& options,
                        const std::vector<std::string>& equal,
                        const std::set<std::string>& unreached,
                        std::map<std::string, MemberSync>& members) {
  std::set<std::string> sync_set;
  if (!options.only.empty() || pool.ReachesMirrors(pool.holder()))
    sync_set = pool.arbiter().sync_set;
  for (const std::string& node : equal) {
    const std::string uid = pool.UidTextOf(node);
    // It could confirm nothing: the Primary has to reach it first.
    if (unreached.contains(node) && !sync_set.contains(uid)) continue;
    members[node].joined = !pool.arbiter().sync_set.contains(uid);
    sync_set.insert(uid);
  }
  return SetSyncSet(pool, std::move(sync_set), {});
}

// Another may change S meanwhile, of the same device: where the Primary proves by itself what that
// needs, it is done again with R as it is.
Result<void> TakeIn(Pool& pool, const SyncOptions& options, const std::vector<std::string>& equal,
                    const std::set<std::string>& unreached,
                    std::map<std::string, MemberSync>& members) {
  const store::Epoch epoch = pool.epoch();
  for (int tries = 0;; ++tries) {
    auto taken = TakeInOnce(pool, options, equal, unreached, members);
    if (!taken.Is(ErrorCode::kConflict) || tries == kSyncSetTries) return taken;
    if (!pool.ReachesMirrors(pool.holder()) || !pool.ReloadArbiter().ok()) return taken;
    if (pool.epoch() != epoch || pool.holder().empty()) return taken;
  }
}

// Passes until nothing more is to be done, then who is equal, the sync set, and what everybody has
// deleted. How the mirrors stand in the end.
Result<Comparison> BringUpToDate(Pool& pool, const SyncOptions& options,
                                 const std::vector<std::string>& mirrors,
                                 const std::set<std::string>& unreached,
                                 const mirror::Progress& progress, SyncReport& report,
                                 std::map<std::string, MemberSync>& members) {
  const mirror::GoOn go_on = WithinShare(pool, options.share);
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    HSM_TRY(const bool again, Pass(pool, options, mirrors, progress, go_on, report));
    for (const mirror::StepError& failed : report.applied.failed) {
      if (failed.error.code() == ErrorCode::kStaleEpoch)
        return RefusedAsOlder(failed.step.node, pool);
    }
    if (!again) break;
  }
  HSM_TRY(Comparison after, Compare(pool, report.primary, mirrors));
  if (options.dry_run) return after;
  HSM_RETURN_IF_ERROR(TakeIn(pool, options, after.equal, unreached, members));
  const bool collects = options.collect && after.equal.size() + 1 == pool.nodes().size();
  if (!collects || !CollectTombstones(pool, report, mirrors)) return after;
  return Compare(pool, report.primary, mirrors);  // it may have been cut short
}

}  // namespace

Result<SyncReport> Sync(Pool& pool, const SyncOptions& options, const mirror::Progress& progress) {
  SyncReport report;
  report.primary = pool.holder();
  if (report.primary.empty()) {
    return Error(ErrorCode::kReadOnly,
                 "there is no Primary to sync from: a promotion is unfinished; run kubectl hsm "
                 "promote again");
  }
  const failover::ClusterState seen = pool.Observe(false);
  HSM_RETURN_IF_ERROR(CheckEpoch(pool, seen));
  std::vector<std::string> mirrors = pool.Mirrors();
  std::erase_if(mirrors, [&](const std::string& node) {
    return !options.only.empty() &&
           std::find(options.only.begin(), options.only.end(), node) == options.only.end();
  });
  std::map<std::string, MemberSync> members;
  for (const std::string& node : mirrors) members[node].node = node;
  // Who answers nothing at all is not waited for again, minutes in all; one that is busy is.
  std::erase_if(mirrors, [&](const std::string& node) {
    const failover::MemberView* member = seen.Find(node);
    if (member->reachable() || member->told) return false;
    members[node].error = member->status.error();
    return true;
  });
  if (options.full) {
    std::vector<std::string> all = mirrors;
    all.push_back(report.primary);
    TakeVerified(options.verified.empty() ? VerifyAll(pool, all) : options.verified, all, members);
    if (members[report.primary].error) return members[report.primary].error->Within(report.primary);
    members[report.primary].node = report.primary;
  }
  auto after = BringUpToDate(pool, options, mirrors, seen.Unreached(), progress, report, members);
  if (after.ok()) {
    for (const mirror::MemberInventory& mirror : after->mirrors) {
      if (!mirror.inventory.ok()) members[mirror.node].error = mirror.inventory.error();
    }
    for (const std::string& node : after->equal) members[node].equal = true;
  } else {
    if (!report.begun) return after.error();
    // What was done is done: a later look that fails makes unknown, and takes nothing back.
    for (auto& [node, member] : members) {
      if (!member.error) member.error = after.error();
    }
  }
  for (auto& [node, member] : members) {
    if (node == report.primary) member.equal = true;
    if (!member.node.empty()) report.members.push_back(std::move(member));
  }
  return report;
}

}  // namespace hsmops::manager
