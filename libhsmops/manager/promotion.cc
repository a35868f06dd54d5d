#include "libhsmops/manager/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/failover/quorum.h"
#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/follow_spec.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/promotion_choice.h"
#include "libhsmops/manager/promotion_record.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/manager/target_merge.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Mutant;
using base::Result;
using failover::Purpose;

namespace {

constexpr std::chrono::seconds kQuiesce{30};  // for copying what the target still lacks
constexpr int kGrantTries = 3;
constexpr std::size_t kKeptCuts = 64;

// What one member answered to the FENCE of this promotion.
struct Fenced {
  std::optional<mirror::FenceAnswer> answer;
  std::string why_not;
  bool HasInventory() const { return answer && answer->digest; }
  // In the quorum of P5.
  bool Counts() const {
    return answer && (answer->digest || base::On(Mutant::kAnswerCountsForItself));
  }
};

class Run {
 public:
  Run(Pool& pool, const PromotionOptions& options, const StepNote& note)
      : pool_(pool), options_(options), note_(note) {}

  Result<PromotionReport> Go() {
    HSM_RETURN_IF_ERROR(Choose());
    if (!needed_) return report_;
    if (options_.dry_run) return Foresee();
    Begin();
    if (options_.purpose == Purpose::kPromote && !resumes_) HSM_RETURN_IF_ERROR(Equalise());
    HSM_RETURN_IF_ERROR(ForeseeQuorum());
    HSM_RETURN_IF_ERROR(ForeseeMerge());
    HSM_RETURN_IF_ERROR(FencePoint());
    Fence();
    HSM_RETURN_IF_ERROR(WaitForOldPrimary());
    HSM_RETURN_IF_ERROR(CheckQuorum());
    HSM_RETURN_IF_ERROR(Merge());
    HSM_RETURN_IF_ERROR(Seat());
    HSM_RETURN_IF_ERROR(Open());
    (void)Remember("Succeeded", "");
    report_.changed = true;
    return report_;
  }

  // Called when Go failed: before P2 the old Primary goes on, after it the record says what is
  // open.
  void Abort(const Error& error) {
    if (quiesced_ && !fenced_) {
      (void)pool_.At(report_.from).Quiesce({});  // unheard, it takes grants again by itself
      note_("rollback", fmt::format("{} stays the Primary", report_.from));
    }
    if (report_.to.empty() || options_.dry_run) return;
    // One that goes on from before and got no further is neither aborted nor told again and again.
    if (resumes_ && !fenced_) return;
    if (!Remember(fenced_ ? cluster::kFailedOutcome : cluster::kAbortedOutcome, error.message()))
      return;
    pool_.Tell(cluster::EventType::kWarning, "FailoverAborted",
               fmt::format("{} to {}: {}; the history says more", PurposeText(), report_.to,
                           base::Name(error.code())));
  }

  // An error after P2 says that something is begun: the caller must not believe that nothing
  // changed.
  Error Outcome(const Error& error) const {
    if (!fenced_) return error;
    return {ErrorCode::kInDoubt,
            fmt::format("the promotion of {} is begun and not finished: {}; promote or failover "
                        "again finishes it",
                        report_.to, error.message())};
  }

 private:
  std::string PurposeText() const {
    return options_.purpose == Purpose::kPromote ? "Promote" : cluster::kUnplanned;
  }

  // What is due before P2, with nobody touched. Of a planned one nothing is lost: it is about to
  // make them equal.
  Result<PromotionReport> Foresee() {
    if (options_.purpose == Purpose::kPromote && !resumes_) return report_;
    HSM_RETURN_IF_ERROR(ForeseeQuorum());
    HSM_RETURN_IF_ERROR(ForeseeMerge());
    return report_;
  }

  // Who goes on with a promotion counts from where it was begun.
  void Begin() {
    const base::TimePoint now = pool_.world().clock.Now();
    begun_ = now;
    const auto& promotion = pool_.device().status.promotion;
    if (resumes_ && promotion && promotion->started_at) {
      const auto since = pool_.world().clock.Wall() - *promotion->started_at;
      begun_ = now - std::max<base::Duration>(since, base::Duration(0));
    }
    stopped_ = std::min(begun_, options_.failing_since.value_or(begun_));
    report_.stopped_known = options_.purpose == Purpose::kPromote || options_.failing_since;
  }

  // P0
  Result<void> Choose() {
    HSM_TRY(PromotionChoice choice, ChooseTarget(pool_, options_));
    state_ = std::move(choice.state);
    needed_ = choice.needed;
    resumes_ = choice.resumes;
    older_record_ = choice.older_record;
    report_.from = std::move(choice.from);
    report_.to = std::move(choice.to);
    report_.candidates = std::move(choice.candidates);
    return {};
  }

  // Planned only: the old Primary stops writing, and the candidate's content is proved equal.
  Result<void> Equalise() {
    HSM_RETURN_IF_ERROR(OpenIfPromised(pool_));  // no grant after it has stopped
    note_("quiesce", fmt::format("{} stops taking writes", report_.from));
    quiesced_ = true;
    HSM_RETURN_IF_ERROR(
        pool_.At(report_.from).Quiesce(kQuiesce).Within("quiescing " + report_.from));
    SyncOptions only;
    only.only = {report_.to};
    only.collect = false;  // what was proved equal has to stay so
    HSM_TRY(const SyncReport sync, Sync(pool_, only, nullptr));
    if (!sync.AllEqual()) {
      const std::string why = !sync.applied.failed.empty()
                                  ? sync.applied.failed.front().error.message()
                              : sync.members.front().error ? sync.members.front().error->message()
                                                           : "the contents still differ";
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} is not equal to {}: {}", report_.to, report_.from, why));
    }
    note_("equal", fmt::format("{} and {} have the same digest", report_.from, report_.to));
    return {};
  }

  // P1 and P2.
  Result<void> FencePoint() {
    const cluster::Arbiter& r = pool_.arbiter();
    std::uint64_t floor = std::max(r.epoch.counter, pool_.device().status.epoch_floor);
    for (const failover::MemberView& member : state_.members) {
      if (member.told) floor = std::max(floor, member.told->epoch.counter);
    }
    report_.epoch = {floor + 1, pool_.world().rng.U64()};
    if (resumes_ && base::On(Mutant::kTwoTargets)) report_.epoch = FromArbiter(r.epoch);
    bool paused = false;
    HSM_RETURN_IF_ERROR(
        pool_
            .UpdateStatus([&](cluster::HSMDeviceStatus& status) {
              paused = !resumes_ && options_.unless_paused &&
                       status.PausedUntil(pool_.world().clock.Wall()).has_value();
              if (paused) return;
              status.phase = cluster::DevicePhase::kFailingOver;
              AddFailingOver(report_.to, status);
              base::WallTime begun = pool_.world().clock.Wall();
              if (resumes_ && status.promotion)
                begun = status.promotion->started_at.value_or(begun);
              status.promotion = cluster::PromotionStatus{
                  {report_.epoch.counter, fmt::format("{:016x}", report_.epoch.nonce)},
                  report_.to,
                  options_.operation,
                  begun};
            })
            .Within("P1"));
    if (paused) return Error(ErrorCode::kReadOnly, "it was paused meanwhile");
    cluster::Arbiter next = r;
    next.previous = pool_.LastTerm();
    if (older_record_) {
      // Whom it names says nothing; who resumes this has to know that too (protocol.md, 4).
      next.previous->holder.reset();
      next.previous->sync_set.clear();
      next.previous->k = 0;
    }
    next.holder.reset();
    next.phase = cluster::ArbiterPhase::kPromoting;
    next.epoch = ToArbiter(report_.epoch);
    next.target = pool_.UidTextOf(report_.to);
    next.target_digest.clear();
    next.operation_id = options_.operation;
    for (const failover::MemberView& member : state_.members) {
      // The later record knew it.
      if (member.ToldLaterThan(pool_.term())) next.members.insert(pool_.UidTextOf(member.node));
    }
    ++next.generation;
    auto swapped = pool_.SwapDespiteRenewal(next);
    if (swapped.Is(ErrorCode::kConflict) && base::On(Mutant::kBumpWithoutSwap) &&
        pool_.ReloadArbiter().ok()) {
      next.generation = pool_.arbiter().generation + 1;
      swapped = pool_.Swap(std::move(next));
    }
    HSM_RETURN_IF_ERROR(std::move(swapped).Within("P2"));
    fenced_ = true;
    fence_answered_ = pool_.world().clock.Now();
    base::Failpoint("after-fence-point");
    note_("fence-point",
          fmt::format(
              "epoch {} is on record; nobody of an earlier one can be acknowledged once fenced",
              report_.epoch.counter));
    (void)pool_.UpdateStatus([&](cluster::HSMDeviceStatus& status) {
      status.epoch_floor = std::max(status.epoch_floor, report_.epoch.counter);
    });
    return {};
  }

  // P3
  void Fence() {
    for (const std::string& node : pool_.nodes()) fences_[node];
    std::vector<base::Executor::Task> tasks;
    for (auto& [node, fenced] : fences_) {
      tasks.push_back([this, &node = node, &fenced = fenced] {
        auto answer = pool_.At(node).Fence(pool_.term());
        if (answer.ok()) {
          fenced.answer = *answer;
        } else {
          fenced.why_not = answer.error().message();
        }
      });
    }
    pool_.world().executor.RunAll(std::move(tasks));
    std::string answered;
    for (const auto& [node, fenced] : fences_) {
      if (fenced.answer)
        answered += fmt::format("{}{}{}", answered.empty() ? "" : ", ", node,
                                fenced.HasInventory() ? "" : " (no inventory)");
    }
    note_("fence", "answered: " + (answered.empty() ? std::string("nobody") : answered));
  }

  // P4. An answer closes the old gate at once; otherwise its grant has to run out, on any clock.
  Result<void> WaitForOldPrimary() {
    const std::string old = MayStillWrite();
    if (old.empty() || base::On(Mutant::kNoWait)) return {};
    if (resumes_ && base::On(Mutant::kResumeWithoutWait)) return {};
    // One that is no node of the device any more cannot be asked, and may still have its grant.
    const auto fenced = fences_.find(old);
    const std::string why_not =
        fenced == fences_.end() ? "it is no node of the device any more" : fenced->second.why_not;
    auto longest = pool_.arbiter().previous->grant_duration;
    longest =
        std::max({longest, pool_.arbiter().grant_duration, pool_.arbiter().old_grant_duration});
    const base::Duration wait = base::On(Mutant::kNoDrift) ? longest : LongestGrant(longest);
    note_("wait", fmt::format("{} does not answer ({}); waiting {} until its grant has run out",
                              old, why_not, base::FormatDuration(wait)));
    pool_.world().clock.SleepFor(fence_answered_ + wait - pool_.world().clock.Now());
    return {};
  }

  // Whose gate may still be open; "" for nobody's. After an older record that may be anybody's.
  std::string MayStillWrite() const {
    if (!older_record_) {
      const auto old = fences_.find(report_.from);
      const bool answered = old != fences_.end() && old->second.answer;
      return answered ? "" : report_.from;
    }
    const auto silent = std::find_if(fences_.begin(), fences_.end(),
                                     [](const auto& fenced) { return !fenced.second.answer; });
    if (silent != fences_.end()) return silent->first;
    const auto& members = pool_.arbiter().members;
    const auto stranger = std::find_if(members.begin(), members.end(), [this](const auto& uid) {
      return pool_.NodeOf(uid).empty();
    });
    return stranger == members.end() ? "" : *stranger;
  }

  // Who can be expected to answer, and who did.
  Answers AsSeen() const {
    return [this](const failover::MemberView& member) {
      const failover::MemberView* seen = state_.Find(member.node);
      return seen != nullptr && seen->Healthy() && !unreadable_.contains(member.node);
    };
  }
  Answers AsFenced() const {
    return [this](const failover::MemberView& member) {
      return fences_.at(member.node).Counts() && !unreadable_.contains(member.node);
    };
  }
  Answers WithInventory() const {
    return [this](const failover::MemberView& member) {
      return fences_.at(member.node).HasInventory() && !unreadable_.contains(member.node);
    };
  }

  // An answer that cannot be pulled from does not count: back to P5 (protocol.md, 3, P6). False:
  // each of these can be read, so what failed was something else.
  bool LeaveOutUnreadable(const TargetMerge& merge, const Answers& counted) {
    std::set<std::string> nodes = merge.Unreadable();
    if (nodes.empty()) nodes = WithoutInventory(counted);
    const std::size_t before = unreadable_.size();
    for (const std::string& node : nodes) {
      if (!unreadable_.insert(node).second) continue;
      note_("left-out", fmt::format("{} answers and cannot be read: it does not count", node));
    }
    return unreadable_.size() > before;
  }

  std::set<std::string> WithoutInventory(const Answers& counted) {
    std::vector<std::string> nodes;
    for (const failover::MemberView& member : pool_.Recorded().members) {
      if (member.node != report_.to && counted(member)) nodes.push_back(member.node);
    }
    const auto compared = Compare(pool_, report_.to, nodes);
    std::set<std::string> without;
    if (!compared.ok()) return without;  // of the target itself
    for (const mirror::MemberInventory& member : compared->mirrors) {
      if (!member.inventory.ok()) without.insert(member.node);
    }
    return without;
  }

  // P5 by who answers with an inventory. "none": nothing acknowledged can be lost; otherwise why it
  // can.
  std::string Lost(const Answers& has_inventory) const {
    if (older_record_) return "the record was older than what its members have seen";
    if (base::On(Mutant::kNoQuorum)) return "none";
    const failover::ClusterState recorded = pool_.Recorded();
    const failover::MemberView* old = recorded.Find(report_.from);
    const failover::MemberView* target = recorded.Find(report_.to);
    std::string why = old != nullptr && has_inventory(*old)
                          ? ""
                          : failover::WhyNotCovered(recorded, report_.from, has_inventory);
    if (why.empty() && target != old && !target->in_sync_set && !base::On(Mutant::kPromoteAnyone)) {
      why = fmt::format("{} was not in the sync set of {}", report_.to,
                        report_.from.empty() ? "the last Primary" : report_.from);
    }
    return why.empty() ? "none" : why;
  }

  Result<void> AcceptLoss(const std::string& lost) {
    report_.lost = lost;
    if (lost == "none") return {};
    if (!options_.accept_loss) {
      return Error(ErrorCode::kReadOnly,
                   fmt::format("acknowledged writes may be lost: {}; how many is unknown. Bring {} "
                               "back, or give them up with --accept-loss",
                               lost, report_.from.empty() ? "the others" : report_.from));
    }
    report_.lost = "unknown: " + lost;
    return {};
  }

  // P5 as it is going to be, from what was seen: a refusal is due before P2, not after it.
  Result<void> ForeseeQuorum() { return AcceptLoss(Lost(AsSeen())); }

  // P5
  Result<void> CheckQuorum() {
    if (!fences_.at(report_.to).Counts()) {
      return Error(
          ErrorCode::kUnavailable,
          fmt::format("the target {} does not answer with its content any more", report_.to));
    }
    HSM_RETURN_IF_ERROR(AcceptLoss(Lost(AsFenced())));
    if (report_.lost != "none") note_("accept-loss", report_.lost);
    return {};
  }

  TargetMerge MergeBy(const Answers& has_inventory) {
    return {pool_,
            {report_.from, report_.to, older_record_, options_.accept_loss, report_.lost == "none"},
            has_inventory};
  }

  // P6 as it is going to be: what would stop it after P2 stops it here, where nothing is changed.
  Result<void> ForeseeMerge() {
    if (options_.accept_loss && !options_.dry_run) return {};
    for (;;) {
      TargetMerge merge = MergeBy(AsSeen());
      const auto foreseen = merge.Foresee();
      if (foreseen.ok() && options_.dry_run) TellGivenUp(merge.GivenUp());
      if (!foreseen.Is(ErrorCode::kUnavailable) || !LeaveOutUnreadable(merge, AsSeen()))
        return foreseen;
      HSM_RETURN_IF_ERROR(ForeseeQuorum());
    }
  }

  // P6
  Result<void> Merge() {
    for (;;) {
      TargetMerge merge = MergeBy(WithInventory());
      auto merged = merge.Do();
      if (merged.ok()) {
        report_.merged = *merged;
        TellGivenUp(merge.GivenUp());
        break;
      }
      const bool of_a_source = merged.Is(ErrorCode::kUnavailable) || !merge.Unreadable().empty();
      if (!of_a_source || !LeaveOutUnreadable(merge, WithInventory())) return merged.error();
      HSM_RETURN_IF_ERROR(CheckQuorum());
    }
    HSM_TRY(digest_, pool_.At(report_.to).Freeze(report_.epoch).Within("freezing " + report_.to));
    note_("merge", fmt::format("{} pulled {} versions and is frozen", report_.to, report_.merged));
    return {};
  }

  // Beside what the quorum said.
  void TellGivenUp(const std::set<std::string>& given_up) {
    for (const std::string& what : given_up) {
      report_.lost = report_.lost == "none" ? "unknown: " + what : report_.lost + "; " + what;
      note_("accept-loss", what);
    }
  }

  // The greatest lsn of an epoch among what the target holds or has collected, 0 if none. Not its
  // highest lsn: that may be of an epoch before, which it wrote alone.
  Result<std::uint64_t> LastLsnOf(const store::Epoch& epoch, const store::Version& collected) {
    HSM_TRY(const store::Inventory held, pool_.At(report_.to)
                                             .ReadInventory(std::bitset<store::kBuckets>().set())
                                             .Within("reading " + report_.to));
    std::uint64_t last = collected.epoch == epoch ? collected.lsn : 0;
    for (const store::InventoryItem& item : held.items) {
      if (item.version.epoch == epoch) last = std::max(last, item.version.lsn);
    }
    return last;
  }

  // P7
  Result<void> Seat() {
    cluster::Arbiter next = pool_.arbiter();
    std::set<std::string> sync_set;
    for (const std::string& node : pool_.nodes()) {
      if (node == report_.to || !fences_.at(node).HasInventory()) continue;
      if (unreadable_.contains(node)) continue;
      const auto digest = pool_.At(node).Digest();
      if (digest.ok() && digest->root == digest_) sync_set.insert(pool_.UidTextOf(node));
    }
    HSM_TRY(const mirror::MemberStatus target, pool_.At(report_.to).Status(false));
    report_.secrets = target.secrets;
    HSM_TRY(const std::uint64_t cut,
            LastLsnOf(FromArbiter(next.previous->epoch), target.collected));
    next.lsn_cuts.push_back({next.previous->epoch, cut});
    if (next.lsn_cuts.size() > kKeptCuts) next.lsn_cuts.erase(next.lsn_cuts.begin());
    next.holder = HolderOf(pool_.uid(), report_.to);
    next.phase = cluster::ArbiterPhase::kNormal;
    next.target.clear();
    next.target_digest = base::Hex(digest_);
    next.sync_set = std::move(sync_set);
    next.previous.reset();
    next.operation_id.clear();
    ++next.generation;
    return pool_.Swap(std::move(next)).Within("P7");
  }

  // P8: the target's own grant, and a write probe that leaves nothing behind.
  Result<void> Open() {
    HSM_RETURN_IF_ERROR(GrantSurely().Within("P8"));
    HSM_TRY(const mirror::MemberStatus open, pool_.At(report_.to).Status(true).Within(report_.to));
    if (!open.gate_open)
      return Error(ErrorCode::kUnavailable,
                   fmt::format("P8: the gate of {} did not open", report_.to));
    report_.writes_stopped = pool_.world().clock.Now() - stopped_;
    note_("open", fmt::format("{} is the Primary of epoch {}", report_.to, report_.epoch.counter));
    return {};
  }

  // Another replica may relay the first grant at the same time, and its answer may be lost; while R
  // is as this promotion left it, it is given again.
  Result<void> GrantSurely() {
    auto granted = GrantTo(pool_, report_.to);
    for (int tries = 0; tries < kGrantTries && !granted.ok(); ++tries) {
      HSM_RETURN_IF_ERROR(pool_.ReloadArbiter());
      if (pool_.holder() != report_.to || pool_.epoch() != report_.epoch) return granted;
      granted = GrantTo(pool_, report_.to);
    }
    return granted;
  }

  bool Remember(const std::string& outcome, const std::string& cause) {
    cluster::HistoryEntry entry;
    entry.time = pool_.world().clock.Wall();
    entry.type = PurposeText();
    entry.outcome = outcome;
    entry.from = report_.from;
    entry.to = report_.to;
    entry.epoch = report_.epoch.counter;
    entry.cause = cause.empty() ? options_.reason : cause;
    entry.lost = report_.lost;
    entry.operation = options_.operation;
    entry.duration_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(pool_.world().clock.Now() - begun_)
            .count();
    return RecordPromotion(pool_, entry, fenced_);
  }

  Pool& pool_;
  const PromotionOptions& options_;
  const StepNote& note_;
  PromotionReport report_;
  failover::ClusterState state_;
  std::map<std::string, Fenced> fences_;
  std::set<std::string> unreadable_;  // they answer, and what they hold cannot be pulled
  base::Digest digest_{};
  base::TimePoint begun_{};
  base::TimePoint stopped_{};
  base::TimePoint fence_answered_{};
  bool needed_ = true;
  bool resumes_ = false;
  bool older_record_ = false;  // R was restored from a backup: who it names says nothing
  bool quiesced_ = false;
  bool fenced_ = false;
};

}  // namespace

Result<PromotionReport> Promote(Pool& pool, const PromotionOptions& options, const StepNote& note) {
  Run run(pool, options, note);
  auto report = run.Go();
  if (report.ok()) return report;
  run.Abort(report.error());
  return run.Outcome(report.error());
}

}  // namespace hsmops::manager
