#include "libhsmops/manager/reinit.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <functional>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr int kChangeTries = 8;
constexpr std::chrono::seconds kPromotionPatience{30};
constexpr std::chrono::seconds kLeavePatience{10};
constexpr std::chrono::milliseconds kPromotionLook{500};
constexpr std::chrono::seconds kLeaveLook{2};  // each try may hold up the Primary's writes

std::bitset<store::kBuckets> WholeInventory() { return std::bitset<store::kBuckets>().set(); }

// Not a member of this pool, so it holds nothing that counts; whether it may be wiped is for its
// store to say.
bool HoldsNothing(mirror::Member& member) {
  const auto status = member.Status(false);
  return status.ok() && status->standing != store::Standing::kMember &&
         status->standing != store::Standing::kUnknown;
}

Result<void> CheckWords(const Pool& pool, const std::string& node) {
  if (node.empty())
    return Error(ErrorCode::kInvalid, "a Reinit names the member that it wipes: spec.targetNode");
  if (!pool.Has(node)) return pool.device().NoSuchMember(node);
  if (pool.holder() == node) {
    return Error(
        ErrorCode::kReadOnly,
        fmt::format("{} is the Primary: reinit would wipe the source; promote another member first",
                    node));
  }
  if (pool.holder().empty())
    return Error(ErrorCode::kReadOnly,
                 "a promotion is unfinished; finish it first with promote or failover");
  return {};
}

// Its agent answers, and its token can be read. `status` is a live one.
bool CanBeRead(const Result<mirror::MemberStatus>& status) {
  return status.ok() && status->standing == store::Standing::kMember && status->digest;
}

Result<void> CheckSource(Pool& pool, const std::string& node) {
  const std::string primary = pool.holder();
  HSM_RETURN_IF_ERROR(CheckEpoch(pool, pool.Observe(false)));
  const auto status = pool.At(primary).Status(true);
  if (!CanBeRead(status)) {
    return Error(
        ErrorCode::kReadOnly,
        fmt::format("Primary {} cannot be read, so {} could not be filled again", primary, node));
  }
  if (status->damaged > 0) {
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} secrets are damaged on Primary {} and {} may have them whole: run "
                             "kubectl hsm sync first",
                             status->damaged, primary, node));
  }
  return {};
}

// What the node has and the Primary has not. The Primary is asked after it: a Primary that goes on
// writing holds whatever its mirrors got from it before.
Result<mirror::SyncPlan> Beyond(Pool& pool, mirror::Member& member, const std::string& node) {
  HSM_TRY(store::Inventory held, member.ReadInventory(WholeInventory()).Within(node));
  HSM_TRY(const store::Inventory source, pool.At(pool.holder()).ReadInventory(WholeInventory()));
  std::vector<mirror::MemberInventory> asked;
  asked.push_back({node, std::move(held)});
  mirror::SyncPlan plan = mirror::Plan(source, asked, pool.epoch(), false, CutsOf(pool));
  std::erase_if(plan.steps,
                [](const mirror::Step& step) { return step.kind == mirror::Step::Kind::kCopy; });
  return plan;
}

// Sync does not ask who is not on record, so here a person is told before it is wiped.
Result<void> TellWhatGoes(Pool& pool, const std::string& node, const StepNote& note) {
  if (HoldsNothing(pool.Applicant(node))) return {};
  HSM_TRY(const mirror::SyncPlan plan, Beyond(pool, pool.Applicant(node), node));
  for (const mirror::Step& step : plan.steps) {
    note("warning", fmt::format("{} holds {} version {}, which the Primary does not: it goes", node,
                                base::Printable(step.name), step.version.ToString()));
  }
  return {};
}

// Nothing is wiped unless the Primary has all of it: what the member has beyond is restored or set
// aside by sync first.
Result<void> CheckContent(Pool& pool, const std::string& node, const StepNote& note) {
  if (!pool.OnRecord(node)) return TellWhatGoes(pool, node, note);
  const auto plan = Beyond(pool, pool.At(node), node);
  if (!plan.ok()) {
    if (HoldsNothing(pool.At(node))) return {};
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} cannot be read, so nobody knows what would be wiped: {}", node,
                             plan.error().message()));
  }
  if (plan->steps.empty()) return {};
  const mirror::Step& step = plan->steps.front();
  return Error(ErrorCode::kReadOnly,
               fmt::format("{} holds what the Primary does not: {}: {}; run kubectl hsm sync "
                           "first, or kubectl hsm divergence list",
                           node, base::Printable(step.name), step.reason));
}

// R is renewed by others all the time; whoever changes S begins again then (protocol.md, 3). Not
// under another term, where everything is to be judged anew.
Result<void> ChangeAgain(Pool& pool, const std::function<Result<void>()>& change) {
  const store::Epoch epoch = pool.epoch();
  for (int tries = 0;; ++tries) {
    HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
    if (pool.epoch() != epoch || pool.holder().empty())
      return Error(ErrorCode::kConflict, "the Primary was replaced meanwhile");
    auto changed = change();
    if (!changed.Is(ErrorCode::kConflict) || tries == kChangeTries) return changed;
  }
}

// Out of the sync set before it is wiped: from here on nobody counts on it. A Primary that proves
// by itself what that needs goes on writing meanwhile, so the others are equal to it at no moment
// and hold what was acknowledged all the same.
Result<void> LeaveOnce(Pool& pool, const std::string& node) {
  if (pool.ReachesMirrors(pool.holder())) return TakeFromSyncSet(pool, node);
  HSM_TRY(Comparison comparison, Compare(pool, pool.holder(), pool.Mirrors()));
  std::vector<std::string> others = std::move(comparison.equal);
  std::erase(others, node);
  return ChangeSyncSet(pool, others);
}

// After the wipe "failed, state unchanged" would not be true any more.
Error Unfilled(const std::string& node, const Error& error, const std::string& next) {
  return {ErrorCode::kInDoubt, fmt::format("{} may be wiped and is not filled again: {}; {}", node,
                                           error.message(), next)};
}

// Who leads makes another Primary where the one before is gone: from `before` on, or when that can
// be read again. The arbiter, and where the members are, is as it is now then.
Result<void> AwaitPrimary(Pool& pool, const store::Epoch& before) {
  const World& world = pool.world();
  const base::TimePoint until = world.clock.Now() + kPromotionPatience;
  for (;;) {
    HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
    (void)pool.FollowDevice();  // where it cannot be read it is as it was
    const std::string primary = pool.holder();
    const bool another = pool.epoch() != before && pool.Has(primary);
    if (!primary.empty() && (another || CanBeRead(pool.At(primary).Status(true)))) return {};
    if (world.clock.Now() >= until || (world.ends && world.ends()))
      return Error(ErrorCode::kUnavailable, "there is no Primary to fill it from");
    pool.world().clock.SleepFor(kPromotionLook);
  }
}

// Nobody else had it in hand after this wipe.
Result<void> CheckUntold(Pool& pool, const std::string& node, const store::Term& of_the_wipe) {
  for (int tries = 0;; ++tries) {
    const auto told = pool.Applicant(node).Told();
    if (told.ok() && *told <= of_the_wipe) return {};
    if (told.ok())
      return Error(ErrorCode::kConflict, "it was told of a later record since it was wiped");
    if (tries == kChangeTries) return told.error().Within(node);
    pool.world().clock.SleepFor(kPromotionLook);
  }
}

// A wiped member holds nothing that anybody has forgotten since, whatever the record is by now: but
// not where somebody else has filled it. Who does puts it on record, which the swap would find.
Result<void> AdmitWiped(Pool& pool, const std::string& node, const store::Term& of_the_wipe) {
  for (int tries = 0;; ++tries) {
    auto admitted = pool.Admit(node);
    if (!admitted.Is(ErrorCode::kConflict) || tries == kChangeTries) return admitted;
    HSM_RETURN_IF_ERROR(AwaitPrimary(pool, pool.epoch()));
    HSM_RETURN_IF_ERROR(CheckUntold(pool, node, of_the_wipe));
  }
}

Result<SyncReport> FillOnce(Pool& pool, const std::string& node, const mirror::Progress& progress) {
  SyncOptions only;
  only.only = {node};
  for (int tries = 0;; ++tries) {
    auto report = Sync(pool, only, progress);
    if (!report.Is(ErrorCode::kConflict) || tries == kChangeTries) return report;
    HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
  }
}

// Equal at a moment and in S, or proved by a Primary that is never at rest.
Result<void> CheckFilled(Pool& pool, const std::string& node, const SyncReport& report) {
  if (!pool.Has(node))
    return Error(ErrorCode::kUnavailable, "it is no node of the device any more");
  if (!pool.ReachesMirrors(pool.holder())) {
    if (report.AllEqual()) return {};
    return Error(ErrorCode::kUnavailable, "not equal yet");
  }
  const std::vector<std::string> in_sync = pool.SyncSetNodes();
  const bool counts = std::find(in_sync.begin(), in_sync.end(), node) != in_sync.end();
  if (report.AllEqual() && counts) return {};
  for (int tries = 0;; ++tries) {
    auto joined = ChangeAgain(pool, [&] { return AddToSyncSet(pool, node); });
    if (!joined.Is(ErrorCode::kUnavailable) || tries == kChangeTries) return joined;
    HSM_RETURN_IF_ERROR(FillOnce(pool, node, nullptr));  // what was written meanwhile
  }
}

// Its source did not answer, or is the Primary no more.
bool LostSource(Pool& pool, const Result<SyncReport>& report, const store::Epoch& epoch) {
  if (report.Is(ErrorCode::kUnavailable)) return true;
  if (report.ok() && std::ranges::any_of(report->applied.failed, &mirror::StepError::of_source))
    return true;
  if (!pool.ReloadArbiter().ok() || pool.holder().empty() || pool.epoch() != epoch) return true;
  return !CanBeRead(pool.At(pool.holder()).Status(true));
}

// A promotion has made it the Primary. One that lost nothing proves that it was filled.
Result<SyncReport> OfThePrimary(Pool& pool, const std::string& node, std::uint64_t copied) {
  const auto& history = pool.device().status.history;
  const bool whole = std::ranges::any_of(history, [&](const cluster::HistoryEntry& entry) {
    return entry.to == node && entry.epoch == pool.epoch().counter && entry.lost == "none" &&
           entry.outcome == "Succeeded";
  });
  if (!whole)
    return Error(ErrorCode::kInDoubt,
                 "it was made the Primary meanwhile: kubectl hsm history says what that has cost");
  SyncReport report;
  report.primary = node;
  report.applied.copied = copied;
  return report;
}

// From whom a promotion makes the Primary, if one comes in between; and where the members are by
// then.
Result<SyncReport> Fill(Pool& pool, const std::string& node, const mirror::Progress& progress) {
  std::uint64_t copied = 0;
  for (int tries = 0;; ++tries) {
    const store::Epoch epoch = pool.epoch();
    auto report = FillOnce(pool, node, progress);
    if (report.ok()) copied += report->applied.copied;
    const Result<void> filled =
        report.ok() ? CheckFilled(pool, node, *report) : Result<void>(report.error());
    if (filled.ok()) {
      report->applied.copied = copied;
      return report;
    }
    const auto moved = pool.FollowDevice();
    const bool again = LostSource(pool, report, epoch) || (moved.ok() && *moved);
    if (tries == kChangeTries || !again) return filled.error();
    if (!AwaitPrimary(pool, epoch).ok()) return filled.error();
    if (pool.holder() == node) return OfThePrimary(pool, node, copied);
  }
}

// For the wipe alone, of an R in which the member does not count: whoever takes it into S tells it
// one that is as high or higher, and then refuses a wipe that comes late (docs/adr/0019).
Result<void> TakeGeneration(Pool& pool) {
  cluster::Arbiter next = pool.arbiter();
  ++next.generation;
  HSM_RETURN_IF_ERROR(pool.Swap(std::move(next)));
  const std::string primary = pool.holder();
  if (pool.ReachesMirrors(primary)) (void)GrantTo(pool, primary);  // it is asked for changes of S
  return {};
}

// While writes go on the others may hold everything in a moment that do not in this one.
Result<void> Leave(Pool& pool, const std::string& node) {
  const World& world = pool.world();
  const base::TimePoint until = world.clock.Now() + kLeavePatience;
  for (;;) {
    auto left = ChangeAgain(pool, [&] { return LeaveOnce(pool, node); });
    if (left.ok() || !left.Is(ErrorCode::kUnavailable)) return left;
    if (world.clock.Now() >= until || (world.ends && world.ends()))
      return Error(left.error().code(),
                   left.error().message() +
                       "; nothing was wiped: kubectl hsm sync, then ask again when kubectl hsm "
                       "health shows the others equal");
    pool.world().clock.SleepFor(kLeaveLook);
  }
}

// Another leader took it back into S meanwhile: not under a generation of this wipe.
Result<store::Term> LeaveForGood(Pool& pool, const std::string& node) {
  HSM_RETURN_IF_ERROR(Leave(pool, node));
  HSM_RETURN_IF_ERROR(ChangeAgain(pool, [&]() -> Result<void> {
    if (pool.arbiter().sync_set.contains(pool.UidTextOf(node)))
      return Error(ErrorCode::kUnavailable, node + " came back into the sync set meanwhile");
    return TakeGeneration(pool);
  }));
  return pool.term();  // of that very swap: a grant reads no later R into it
}

}  // namespace

Result<std::string> Reinit(Pool& pool, const ReinitOptions& options, const StepNote& note,
                           const mirror::Progress& progress) {
  const std::string& node = options.node;
  HSM_RETURN_IF_ERROR(CheckWords(pool, node));
  HSM_RETURN_IF_ERROR(CheckSource(pool, node));
  HSM_RETURN_IF_ERROR(CheckContent(pool, node, note));
  if (options.dry_run) {
    return fmt::format(
        "would wipe every record of this pool on {} and copy all from {}; what is in quarantine "
        "stays",
        node, pool.holder());
  }
  HSM_TRY(const store::Term of_the_wipe, LeaveForGood(pool, node));
  base::Failpoint("before-wipe");
  note("wipe", node);
  // Half a wipe leaves no member that a sync would fill.
  const std::string again = "run kubectl hsm reinit --node " + node + " again";
  if (auto wiped = pool.Applicant(node).Initialize(of_the_wipe, true); !wiped.ok()) {
    if (wiped.Is(ErrorCode::kStaleEpoch))
      return wiped.error().Within("nothing was wiped").Within(node);
    return wiped.Is(ErrorCode::kReadOnly) ? wiped.error().Within(node)
                                          : Unfilled(node, wiped.error(), again);
  }
  base::Failpoint("after-wipe");
  if (auto admitted = AdmitWiped(pool, node, of_the_wipe); !admitted.ok())
    return Unfilled(node, admitted.error(), again);
  note("copy", "from " + pool.holder());
  const auto report = Fill(pool, node, progress);
  if (!report.ok()) return Unfilled(node, report.error(), "run kubectl hsm sync, or reinit again");
  // Without what it was told of deletions.
  const auto holds = pool.Applicant(node).Status(false);
  const std::uint64_t copied = holds.ok() ? holds->secrets : report->applied.copied;
  if (report->primary == node)
    return fmt::format("{} is a member again, and the Primary: {} secrets copied", node, copied);
  return fmt::format("{} is a member again: {} secrets copied, equal to {}", node, copied,
                     report->primary);
}

}  // namespace hsmops::manager
