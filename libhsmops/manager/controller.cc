#include "libhsmops/manager/controller.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/enrolment.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/follow_spec.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/policy.h"
#include "libhsmops/manager/promotion.h"
#include "libhsmops/manager/promotion_record.h"
#include "libhsmops/manager/stranded.h"
#include "libhsmops/manager/sync_record.h"
#include "libhsmops/manager/taking_over.h"
#include "libhsmops/manager/task.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using failover::ClusterState;
using failover::Decision;
using failover::MemberView;

namespace {

// What is copied in one turn: as much as takes that long, and one batch at least.
constexpr std::chrono::seconds kCopyShare{2};
// After a failover that changed nothing, before the next one: doubled each time.
constexpr std::chrono::seconds kVainPause{1};
constexpr std::chrono::seconds kLongestVainPause{16};

bool Due(const std::optional<base::TimePoint>& last, base::Duration period, base::TimePoint now) {
  return !last || now - *last >= period;
}

}  // namespace

void Controller::Rest() {
  pool_.reset();
  unmanaged_.Forget();
  watch_.Forget();
  status_.Forget();
  sync_set_.Forget();
  tried_.clear();
  vain_ = {};
  verifying_.clear();
  // What came of it is for the log alone: another carries it out, or has.
  const auto ended = errand_.TakeEnd();
  if (ended && world_.step) world_.step(device_, ended->log.name() + ": " + ended->sentence);
}

Result<void> Controller::Open() {
  enrolling_ = false;
  if (pool_) {
    HSM_TRY(const bool changed, pool_->ReloadDevice());
    if (!changed) {
      HSM_RETURN_IF_ERROR(pool_->ReloadArbiter());
      return TakeOverOnce();
    }
  }
  const bool first = !pool_;
  HSM_TRY(pool_, OpenPool());
  watch_.Follow(FailoverOf(pool_->device()));
  if (first) taken_over_ = false;
  return TakeOverOnce();
}

Result<std::unique_ptr<Pool>> Controller::OpenPool() {
  auto opened = Pool::Open(world_, ns_, device_);
  if (opened.ok() || !world_.enrols) return opened;
  if (!cluster::ReadArbiter(world_.resources, ns_, device_).Is(ErrorCode::kNotFound)) return opened;
  HSM_TRY(const auto device, cluster::Load<cluster::HSMDevice>(world_.resources, ns_, device_));
  enrolling_ = true;
  const auto enrolled = Enrol(world_, device, *world_.enrols);
  if (!enrolled.ok()) {
    ShowNotEnrolled(world_, device, enrolled.error());
    return enrolled.error();
  }
  if (world_.step) world_.step(device_, "its tokens are enrolled");
  return Pool::Open(world_, ns_, device_);
}

Result<void> Controller::TakeOverOnce() {
  if (!taken_over_) taken_over_ = Readable(TakeOver(*pool_, InHand()));
  return {};
}

// Of those that say Running.
std::set<std::string> Controller::InHand() const { return {errand_.operation(), verifying_}; }

// Whoever leads does by itself what is to be done, also where it cannot read what is asked for.
bool Controller::Readable(const Result<void>& read) {
  unreadable_ = read.ok() ? "" : read.error().message();
  if (!read.ok())
    TellOnce("OperationsUnreadable",
             "what is asked for cannot be read or written: kubectl hsm health says why");
  return read.ok();
}

bool Controller::HolderFails(const ClusterState& state) const {
  return state.holder && watch_.Fails(*state.holder);
}

std::optional<base::TimePoint> Controller::FailingSince() const {
  const std::string holder = pool_->holder();
  return holder.empty() ? std::nullopt : watch_.FailingSince(holder);
}

bool Controller::InDelay(const ClusterState& state) const {
  if (!HolderFails(state)) return false;
  const auto since = watch_.FailingSince(*state.holder);
  return since && world_.clock.Now() - *since < FailoverOf(pool_->device()).delay;
}

Turned Controller::Turn() {
  if (auto opened = Open(); !opened.ok()) {
    const bool lasts = enrolling_ || unmanaged_.Show(world_, ns_, device_, opened.error());
    TellWaiting(world_, ns_, device_, lasts);
    return {.reason = "nothing can be done: " + opened.error().message(), .failed = true};
  }
  unmanaged_.Forget();
  if (auto ended = EndErrand()) return *std::move(ended);
  pool_->LeaveAlone(errand_.wiped(), errand_.operation());
  auto turned = GoOn();
  if (turned.ok()) {
    turned->next = FailoverOf(pool_->device()).health_check_interval;
    return *std::move(turned);
  }
  return {.reason = "it was tried and did not work: " + turned.error().message(), .failed = true};
}

Result<Turned> Controller::GoOn() {
  const ClusterState state = pool_->Observe(true);
  watch_.Saw(*pool_, state);
  if (!state.promoting) tried_.clear();
  if (state.promoting) {
    auto done = GoOnPromoting();
    if (!done.ok()) {
      WriteStatus(state);
      return done.error();
    }
    return done->value_or(Turned{"a promotion is under way", false});
  }
  const auto obeyed = CheckEpoch(*pool_, state);
  if (obeyed.Is(ErrorCode::kConflict)) return obeyed.error();
  if (obeyed.Is(ErrorCode::kReadOnly)) {
    WriteStatus(state);
    HSM_TRY(auto asked, DoAsked(state));  // a failover with accept-loss is the way out
    return asked.value_or(Turned{obeyed.error().message(), false});
  }
  // One of our own whose end could not be written: minInterval goes by it, and somebody waits.
  if (UntoldPromotion(*pool_)) {
    taken_over_ = Readable(TakeOver(*pool_, InHand()));
    if (UntoldPromotion(*pool_)) {
      (void)Keep(state);
      return Error(ErrorCode::kUnavailable, "the end of a promotion cannot be written");
    }
  }
  // What takes long must not hold up a failover.
  const bool in_delay = InDelay(state);
  const bool failing = HolderFails(state);
  auto asked = DoAsked(state, failing);
  if (asked.ok() && *asked) return **std::move(asked);
  (void)Readable(asked.ok() ? Result<void>() : asked.error());
  Decision decision =
      failover::Decide(state, PolicyOf(pool_->device()), failing && !in_delay, world_.clock.Wall());
  if (decision.action == Decision::Action::kNone && in_delay)
    decision.reason =
        fmt::format("Primary {} is unhealthy, and failover.delay gives it {} to return",
                    *state.holder, base::FormatDuration(FailoverOf(pool_->device()).delay));
  if (decision.action == Decision::Action::kFailOver) {
    HSM_TRY(auto failed_over, FailOver(decision));
    if (failed_over) return *std::move(failed_over);
  }
  if (decision.action == Decision::Action::kWouldFailOver)
    TellOnce("WouldFailOver",
             fmt::format("{} would be promoted: {}", decision.target, decision.reason));
  if (failing && asked.ok()) {
    asked = DoAsked(state);
    if (asked.ok() && *asked) return **std::move(asked);
  }
  auto kept = Keep(state);
  WriteStatus(pool_->AmidWrites(state));  // what could not be done is seen there too
  if (!kept.ok()) return kept.error();
  if (!*kept && !asked.ok()) return asked.error();
  return kept->value_or(Turned{decision.reason, false});
}

// S, and what its members hold.
Result<std::optional<Turned>> Controller::Keep(const ClusterState& state) {
  // What is copied beside the turns is not copied twice.
  const bool copies = !errand_.UnderWay() || !errand_.wiped().empty();
  SyncSetKeeper::Syncer syncer;
  if (copies) syncer = [this](const SyncOptions& options) { return TimedSync(options); };
  SyncSetKeeper::Failing found = watch_.FoundOf(*pool_);
  found.beside = errand_.UnderWay();
  auto kept = sync_set_.Keep(*pool_, state, found, syncer);
  if (kept.ok() && !*kept) return KeepCopies(state);
  return kept;
}

// A promotion that is begun, before all.
Result<std::optional<Turned>> Controller::GoOnPromoting() {
  // Where too few answer it would never end; a person may say what is given up, or whom to take.
  auto forced = Begin(Wanted::kOtherFailover);
  if (!forced.ok()) (void)Readable(forced.error());
  if (forced.ok() && *forced) return CarryInstead(**std::move(forced));
  std::optional<OperationLog> log = OperationLog::Find(*pool_, pool_->arbiter().operation_id);
  if (log) TellSteps(*log);
  if (!log) taken_over_ = false;  // where it only cannot be read, it is told its end later
  auto sentence = FinishPromotion(*pool_, log ? &*log : nullptr, tried_);
  if (log) NoteEnd(*log);
  if (sentence.Is(ErrorCode::kInDoubt)) {
    NoteTried();
  } else if (!sentence.ok()) {
    tried_.clear();  // none of the others will do
  }
  if (!sentence.ok()) return sentence.error();
  return std::optional(Turned{*std::move(sentence), true});
}

// What was asked for. `urgent_alone`: of it only what is Wanted::kUrgent.
Result<std::optional<Turned>> Controller::DoAsked(const ClusterState& state, bool urgent_alone) {
  if (auto ended = EndVerifying()) return ended;
  const Wanted wanted = urgent_alone          ? Wanted::kUrgent
                        : errand_.UnderWay()  ? Wanted::kShort
                        : !verifying_.empty() ? Wanted::kNotReading
                                              : Wanted::kAny;
  HSM_TRY(auto next, Begin(wanted, &refused_));
  if (!next) return std::optional<Turned>();
  OperationLog log = *std::move(next);
  WriteStatus(state);  // it may take long, and another come after it
  if (ReadsAllAgain(log.operation().spec)) {
    verifying_ = log.name();
    verification_.Start(*pool_);
    return std::optional(Turned{log.name() + ": every value is read again", false});
  }
  if (TakesLong(log.operation().spec)) {
    return CarryBeside(std::move(log),
                       [](Pool& pool, OperationLog& its) { return Carry(pool, its); });
  }
  std::string sentence = CarryAloud(log, FailingSince());
  return std::optional(Turned{log.name() + ": " + std::move(sentence), true});
}

Turned Controller::CarryBeside(OperationLog log, Errand::Work work) {
  TellBegun(log);
  TellSteps(log);
  const std::string name = log.name();
  errand_.Start(std::move(log), std::move(work));
  return EndErrand().value_or(Turned{name + " is under way, beside the turns", false});
}

std::optional<Turned> Controller::EndErrand() {
  auto ended = errand_.TakeEnd();
  if (!ended) return std::nullopt;
  NoteEnd(ended->log);
  taken_over_ = false;  // another may have led meanwhile, begun it again, and ended
  // What a sync has left to be collected is collected now, and who was filled is looked at.
  synced_.reset();
  return Turned{ended->log.name() + ": " + std::move(ended->sentence), true};
}

// With what was read the rest is done, once nothing else is under way.
std::optional<Turned> Controller::EndVerifying() {
  if (verifying_.empty() || errand_.UnderWay()) return std::nullopt;
  const auto verified = verification_.Whole();
  if (!verified) return std::nullopt;
  auto log = OperationLog::Find(*pool_, std::exchange(verifying_, {}));
  if (!log) {
    taken_over_ = false;  // gone, or not to be read now: what is Running is begun again
    return std::nullopt;
  }
  return CarryBeside(*std::move(log), [found = *verified](Pool& pool, OperationLog& its) {
    return CarryVerified(pool, its, found);
  });
}

// The promotion that it takes the place of has ended when this one is past its P2.
Result<std::optional<Turned>> Controller::CarryInstead(OperationLog log) {
  const std::string before = pool_->arbiter().operation_id;
  Turned turned{log.name() + ": " + CarryAloud(log, {}), true};
  if (pool_->arbiter().operation_id != before) {
    auto given_up = OperationLog::Find(*pool_, before);
    if (given_up)
      (void)given_up->Finish(cluster::OperationPhase::kFailed, kSuperseded,
                             log.name() + " went on in its stead");
    else
      taken_over_ = false;
  }
  return std::optional(std::move(turned));
}

// nullopt: it was tried a moment ago in vain, and is not to be yet again.
Result<std::optional<Turned>> Controller::FailOver(const Decision& decision) {
  if (vain_.target != decision.target) vain_ = {decision.target};
  if (world_.clock.Now() < vain_.next_try) return std::optional<Turned>();
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kFailover;
  spec.target_node = decision.target;
  spec.reason = decision.reason;
  const store::Epoch before = pool_->epoch();
  OperationLog log = OperationLog::Make(*pool_, std::move(spec));
  std::string said = fmt::format("{}; {}", decision.reason, CarryAloud(log, FailingSince()));
  const bool begun = pool_->epoch() != before;
  vain_.pause = begun ? base::Duration(0)
                      : std::clamp<base::Duration>(2 * vain_.pause, kVainPause, kLongestVainPause);
  vain_.next_try = world_.clock.Now() + vain_.pause;
  return std::optional(Turned{std::move(said), begun});
}

std::string Controller::CarryAloud(OperationLog& log,
                                   std::optional<base::TimePoint> failing_since) {
  TellBegun(log);
  TellSteps(log);
  std::string sentence = Carry(*pool_, log, failing_since);
  NoteEnd(log);
  // In doubt whether R stands as begun: where it does not, nobody goes on with it.
  if (!log.operation().Finished() && pool_->arbiter().phase != cluster::ArbiterPhase::kPromoting)
    taken_over_ = false;
  NoteTried();
  return sentence;
}

// Where the answer was lost it may be Running by now, and nobody carries it: it is begun again.
Result<std::optional<OperationLog>> Controller::Begin(Wanted wanted, std::string* refused) {
  auto begun = BeginNext(*pool_, wanted, refused, errand_.operation());
  if (begun.Is(ErrorCode::kInDoubt)) taken_over_ = false;
  return begun;
}

// One whose end could not be written says Running, as if its leader had died.
void Controller::NoteEnd(const OperationLog& log) {
  if (log.unsaved()) taken_over_ = false;
}

// The target of a promotion that is past P2 and did not come to its end. When all were tried they
// are tried again.
void Controller::NoteTried() {
  if (pool_->arbiter().phase != cluster::ArbiterPhase::kPromoting) return tried_.clear();
  tried_.insert(pool_->NodeOf(pool_->arbiter().target));
  if (tried_.size() >= pool_->nodes().size()) tried_.clear();
}

void Controller::TellBegun(const OperationLog& log) {
  if (!world_.step) return;
  const std::string& reason = log.operation().spec.reason;
  world_.step(device_,
              fmt::format("{} begins{}{}", log.name(), reason.empty() ? "" : ": ", reason));
}

// Its end is the turn's to tell. A promotion takes long in which nothing else would be said.
void Controller::TellSteps(OperationLog& log) {
  if (!world_.step) return;
  log.Tell([this, told = log.operation().status.steps.size()](
               const cluster::HSMOperation& operation) mutable {
    for (; told < operation.status.steps.size(); ++told) {
      const cluster::OperationStep& step = operation.status.steps[told];
      world_.step(device_,
                  fmt::format("{}: {}: {}", operation.metadata.name, step.name, step.message));
    }
  });
}

void Controller::TellOnce(const std::string& reason, const std::string& note) {
  if (std::exchange(told_[reason], note) == note) return;
  pool_->Tell(cluster::EventType::kWarning, reason, note);
}

// A share of it at a time: a turn that is a failover's may be due.
Result<SyncReport> Controller::TimedSync(SyncOptions options) {
  const base::TimePoint began = world_.clock.Now();
  options.share = kCopyShare;
  auto report = Sync(*pool_, options, nullptr);
  const bool goes_on = report.ok() && report->applied.cut_short && report->applied.failed.empty();
  if (world_.synced && !goes_on)
    world_.synced(device_, world_.clock.Now() - began, report.ok() && report->Complete());
  return report;
}

// Everything against everything, every syncInterval; every value read again, every verifyInterval.
Result<std::optional<Turned>> Controller::KeepCopies(const ClusterState& state) {
  const cluster::MirroringSpec spec =
      pool_->device().spec.mirroring.value_or(cluster::MirroringSpec{});
  const base::TimePoint now = world_.clock.Now();
  if (errand_.UnderWay()) return std::optional<Turned>();
  // What a verification has found is mended at once.
  const bool found = verification_.TakeNews() && state.Holder() != nullptr &&
                     std::ranges::any_of(state.members, [](const MemberView& member) {
                       return member.reachable() && member.status->damaged > 0;
                     });
  if (!found && !Due(synced_, spec.sync_interval, now)) return std::optional<Turned>();
  // Against a Primary that does not answer nothing can be compared, and a turn would wait for it.
  const MemberView* primary = state.Holder();
  if (primary == nullptr || !primary->Healthy() || state.members.size() < 2)
    return std::optional<Turned>();
  synced_ = now;
  if (verified_ && Due(verified_, spec.verify_interval, now)) {
    verified_ = now;
    verification_.Start(*pool_);
  }
  if (!verified_) verified_ = now;
  HSM_TRY(const SyncReport report, TimedSync({}));
  RecordSync(*pool_, report);
  if (report.applied.cut_short) {
    synced_.reset();
    const std::uint64_t done = report.applied.copied + report.applied.restored;
    return std::optional(
        Turned{fmt::format("{} secrets were copied, more are to be", done), done > 0});
  }
  if (report.uncollected > 0) {
    synced_.reset();  // others have their turn between
    return std::optional(Turned{fmt::format("{} deleted secrets were collected, {} are to go",
                                            report.collected, report.uncollected),
                                true});
  }
  if (!report.Notable()) return std::optional<Turned>();
  return std::optional(
      Turned{fmt::format("synced: copied {}, restored {}, quarantined {}", report.applied.copied,
                         report.applied.restored, report.applied.quarantined),
             false});
}

void Controller::WriteStatus(const ClusterState& state) {
  status_.Write(*pool_, state, unreadable_.empty() ? refused_ : unreadable_);
}

}  // namespace hsmops::manager
