#include "libhsmops/agent/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/health/probe.h"

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;
using base::Result;
using store::Epoch;
using store::LedgerState;

namespace {

constexpr base::Duration kLongestQuiesce = std::chrono::seconds(60);
constexpr base::Duration kLongestCollect = std::chrono::seconds(300);
// A verification works so long at once, and then leaves the token alone so long for whoever waits.
constexpr std::chrono::milliseconds kVerifyPiece{20};
constexpr std::chrono::milliseconds kVerifyPause{1};

// In a new epoch nobody is the Primary before its grant.
LedgerState AtTerm(LedgerState state, const store::Term& term) {
  state.epoch = term.epoch;
  state.generation = term.generation;
  state.primary = false;
  state.frozen.reset();
  return state;
}

}  // namespace

Result<store::Term> ToldOf(const LedgerState& state, const store::Uid& pool,
                           const store::Uid& member) {
  if (state.pool != pool || state.member != member) return ToldNothing();
  return store::Term{state.epoch, state.generation};
}

Agent::Agent(const store::Uid& pool, const store::Uid& member, token::Token& token,
             store::Ledger& ledger, base::Clock& clock, base::Rng& rng,
             std::unique_ptr<base::Monitor> monitor)
    : monitor_(std::move(monitor)),
      pool_(pool),
      member_(member),
      token_(token),
      ledger_(ledger),
      clock_(clock),
      rng_(rng),
      store_(token, ledger, clock, rng) {
  run_ = rng_.U64();
  era_ = rng_.U64();
  gatekeeper_.Follow(ledger_.state());
  if (base::On(base::Mutant::kGrantSurvivesRestart)) gatekeeper_.Resume(clock_.Now());
}

Result<void> Agent::EnsureOpen() {
  if (!open_) {
    HSM_TRY(const store::Standing standing, store_.Open(pool_, member_));
    (void)standing;                       // each use asks for it
    gatekeeper_.Follow(ledger_.state());  // the token may have seen more than the file
    open_ = true;
  }
  return {};
}

Result<void> Agent::SetState(const LedgerState& state) {
  if (state.epoch != ledger_.state().epoch || !state.primary) gatekeeper_.Close();
  auto persisted = store_.SetState(state);
  gatekeeper_.Follow(ledger_.state());
  return persisted;
}

Result<void> Agent::CheckEpoch(const Epoch& epoch) const {
  return CheckNotStale(epoch, ledger_.state().epoch);
}

Result<void> Agent::Obey(const store::Term& sender) {
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_RETURN_IF_ERROR(CheckEpoch(sender.epoch));
  LedgerState state = ledger_.state();
  if (sender.epoch == state.epoch) {
    if (sender.generation <= state.generation) return {};
    state.generation = sender.generation;
    return SetState(state);
  }
  return SetState(AtTerm(std::move(state), sender));
}

void Agent::CountInto(mirror::MemberStatus& status) {
  status.standing = store_.standing();
  status.standing_reason = store_.standing_reason();
  if (store_.standing() != store::Standing::kMember) return;
  const auto counts = store_.Count();
  if (!counts.ok()) return;
  status.digest = counts->digest;
  status.secrets = counts->secrets;
  status.damaged = counts->damaged;
  status.quarantined = counts->quarantined;
  // What adopt cannot take stays as it is, and is promoted over: nothing ends that state but a
  // person.
  status.legacy = counts->legacy;
}

Result<mirror::MemberStatus> Agent::Status(bool live) {
  const std::lock_guard lock(*monitor_);
  mirror::MemberStatus status;
  if (live) {
    status.probe = health::Climb(token_, store_, pool_, member_, clock_);
    open_ = open_ || store_.standing() != store::Standing::kUnknown;
    gatekeeper_.Follow(ledger_.state());
  } else if (auto opened = EnsureOpen(); !opened.ok()) {
    status.probe.push_back(
        {"session", mirror::ProbeStep::Outcome::kFailed, opened.error().message(), 0});
  }
  if (const auto token = token_.ReadStatus(); token.ok()) {
    status.identity = token->identity;
    status.pin = token->pin;
    status.free_bytes = token->free_bytes;
  }
  status.pool = pool_;
  status.member = member_;
  status.profile = token_.profile().name;
  status.max_object_bytes = token_.profile().max_object_bytes;
  if (open_ && !token_.view_lost()) {
    CountInto(status);
    const std::uint64_t used = store_.index().objects();
    status.free_objects =
        token_.profile().max_objects - std::min<std::uint64_t>(used, token_.profile().max_objects);
  }
  const LedgerState& state = ledger_.state();
  status.epoch = state.epoch;
  status.generation = state.generation;
  status.primary = state.primary;
  status.gate_open = Gate().ok();
  status.lsn = store_.HighestLsn();
  status.collected = state.collected;
  status.frozen = state.frozen;
  return status;
}

// Whatever the token is busy with: it is how one that is busy is told from one that is gone.
Result<store::Term> Agent::Told() { return gatekeeper_.Told(pool_, member_); }

Result<mirror::Pulse> Agent::TakePulse() {
  const base::TimePoint now = clock_.Now();
  mirror::Pulse pulse;
  pulse.nonce = gatekeeper_.IssueNonce(rng_, now);
  pulse.stamp = {run_, now.since_boot};
  pulse.term = gatekeeper_.term();
  pulse.primary = gatekeeper_.primary();
  pulse.gate_open = gatekeeper_.Gate(now).ok();
  return pulse;
}

Result<std::uint64_t> Agent::Era() { return era_.load(); }

Result<void> Agent::OpenGate(const mirror::Grant& grant) {
  HSM_RETURN_IF_ERROR(gatekeeper_.Check(grant, clock_.Now()));
  if (gatekeeper_.Renews(grant) && gatekeeper_.Accept(grant, clock_.Now())) return {};
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_RETURN_IF_ERROR(gatekeeper_.Check(grant, clock_.Now()));
  LedgerState state = ledger_.state();
  const bool first = !state.primary || grant.epoch != state.epoch;
  if (first && grant.digest) {
    HSM_TRY(const store::InventoryDigest own, store_.Digest());
    if (own.root != *grant.digest)
      return Error(ErrorCode::kCorrupt,
                   "the content here is not what was confirmed at the promotion");
  }
  state.epoch = grant.epoch;
  state.generation = grant.generation;
  state.primary = true;
  state.frozen.reset();
  HSM_RETURN_IF_ERROR(SetState(state));
  if (!gatekeeper_.Accept(grant, clock_.Now()))
    return Error(ErrorCode::kStaleEpoch, "another grant or epoch was faster");
  return {};
}

Result<void> Agent::Prepare(const store::Term& term, const mirror::SyncRule& rule,
                            const mirror::PeerAddresses& peers) {
  const std::lock_guard lock(*monitor_);  // no acknowledgement is half-way
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return gatekeeper_.Prepare(term, rule, peers);
}

Result<mirror::FenceAnswer> Agent::Fence(const store::Term& term) {
  const std::lock_guard lock(*monitor_);
  mirror::FenceAnswer answer;
  const Result<void> opened = EnsureOpen();
  answer.before = ledger_.state().epoch;
  answer.primary = ledger_.state().primary;
  HSM_RETURN_IF_ERROR(CheckEpoch(term.epoch));
  if (term.epoch != ledger_.state().epoch) {
    gatekeeper_.Close();
    const LedgerState state = AtTerm(ledger_.state(), term);
    const bool member = opened.ok() && store_.standing() == store::Standing::kMember;
    Result<void> persisted = member ? store_.SetState(state) : ledger_.SetState(state);
    // A token that died meanwhile does not keep the gate open: the file alone holds the epoch too.
    if (!persisted.ok() && ledger_.state().epoch != term.epoch) persisted = ledger_.SetState(state);
    gatekeeper_.Follow(ledger_.state());
    if (ledger_.state().epoch != term.epoch) return persisted.error();
  }
  answer.lsn = store_.HighestLsn();
  if (opened.ok()) {
    if (const auto digest = store_.Digest(); digest.ok()) answer.digest = digest->root;
  }
  return answer;
}

Result<void> Agent::Quiesce(base::Duration limit) {
  const std::lock_guard lock(*monitor_);  // the write in flight is through
  gatekeeper_.Quiesce(clock_.Now() + std::clamp<base::Duration>(limit, {}, kLongestQuiesce));
  return {};
}

Result<base::Digest> Agent::Freeze(const Epoch& epoch) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(Obey({epoch, 0}));
  LedgerState state = ledger_.state();
  state.frozen = epoch;
  HSM_RETURN_IF_ERROR(SetState(state));
  HSM_TRY(const store::InventoryDigest digest, store_.Digest());
  return digest.root;
}

Result<store::InventoryDigest> Agent::Digest() {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return store_.Digest();
}

Result<store::Inventory> Agent::ReadInventory(const std::bitset<store::kBuckets>& buckets) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_TRY(store::Inventory inventory, store_.ReadInventory(buckets));
  inventory.era = era_;
  return inventory;
}

Result<std::optional<store::Version>> Agent::Unpromised(const store::SecretName& name) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  const store::Id id = store::IdOf(pool_, name);
  HSM_TRY(const store::HeadRef* newest, store_.Newest(id));
  if (newest == nullptr || newest->version <= ledger_.Promised(id).value_or(store::Version{}))
    return std::optional<store::Version>();
  return std::optional(newest->version);
}

Result<std::optional<store::Version>> Agent::Newest(const store::SecretName& name) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_TRY(const store::HeadRef* newest, store_.Newest(store::IdOf(pool_, name)));
  return newest == nullptr ? std::nullopt : std::optional(newest->version);
}

Result<bool> Agent::Remembers(const store::SecretName& name, const store::OpId& op_id) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_TRY(const store::HeadRef* newest, store_.Newest(store::IdOf(pool_, name)));
  return newest != nullptr && std::ranges::find(newest->op_ids, op_id) != newest->op_ids.end();
}

Result<mirror::ReadResult> Agent::Read(const store::SecretName& name, bool as_primary) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  if (as_primary) HSM_RETURN_IF_ERROR(Gate());
  HSM_TRY(std::optional<store::Secret> secret, store_.Read(name));
  const store::Id id = store::IdOf(pool_, name);
  const store::Entry* entry = store_.index().Find(id);
  const store::HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
  if (as_primary) {
    HSM_RETURN_IF_ERROR(Gate());
    if (newest != nullptr && newest->version > ledger_.Promised(id).value_or(store::Version{})) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("version {} is written and not acknowledged; sync settles it",
                               newest->version.ToString()));
    }
  }
  return mirror::ReadResult{std::move(secret),
                            newest == nullptr ? store::Version{} : newest->version};
}

Result<std::vector<Result<store::Record>>> Agent::ReadRecords(const std::vector<store::Id>& ids) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  std::vector<Result<store::Record>> records;
  for (const store::Id& id : ids) records.push_back(store_.ReadRecord(id));
  return records;
}

Result<store::Keys> Agent::ReadLegacy(const std::string& name) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return store_.ReadLegacy(name);
}

Result<std::vector<Result<store::Staged>>> Agent::Stage(std::vector<store::Write> writes,
                                                        std::uint64_t max_object_bytes) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  HSM_RETURN_IF_ERROR(Gate());
  const std::uint64_t own = token_.profile().max_object_bytes;
  const std::uint64_t limit = max_object_bytes == 0 ? own : std::min(own, max_object_bytes);
  return store_.Stage(std::move(writes), ledger_.state().epoch, limit, [this] {
    return base::On(base::Mutant::kNoGateChecks) ? Result<void>() : Gate();
  });
}

Result<std::vector<Result<store::Applied>>> Agent::Apply(const store::Term& sender,
                                                         std::uint64_t era,
                                                         std::vector<store::Record> records) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(Obey(sender));
  if (era != era_ && !base::On(base::Mutant::kEraIgnored)) {
    return Error(ErrorCode::kConflict,
                 "deletions were collected here since these records were read");
  }
  if (ledger_.state().frozen == sender.epoch && !base::On(base::Mutant::kNotFrozen))
    return Error(ErrorCode::kReadOnly, "frozen as the target of a promotion");
  // A Primary serves what W8 has acknowledged; what a sync brings back to it has yet to be.
  const bool promise = !ledger_.state().primary;
  return store_.Apply(std::move(records), [] { return Result<void>(); }, promise);
}

Result<std::vector<Result<void>>> Agent::Acknowledge(
    const std::vector<mirror::Confirmation>& confirmations) {
  base::Failpoint("before-acknowledge");
  const std::lock_guard lock(*monitor_);
  if (!base::On(base::Mutant::kNoGateChecks)) HSM_RETURN_IF_ERROR(Gate());
  std::vector<Result<void>> results;
  std::vector<store::IdVersion> enough;
  for (const mirror::Confirmation& one : confirmations) {
    if (std::string why = gatekeeper_.WhyNotEnough(one.by); !why.empty()) {
      results.emplace_back(Error(ErrorCode::kInDoubt, std::move(why)));
      continue;
    }
    results.emplace_back();
    enough.push_back(one.what);
  }
  if (enough.empty()) return results;
  HSM_RETURN_IF_ERROR(store_.Promise(enough));
  return results;
}

Result<std::vector<Result<mirror::Acknowledged>>> Agent::Put(const mirror::Stamp&,
                                                             std::vector<store::Write>) {
  return Error(ErrorCode::kInvalid, "this member does not reach its mirrors by itself");
}

Result<store::Verification> Agent::BeginVerify() {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return store_.BeginVerify();
}

Result<bool> Agent::VerifyMore(store::Verification& verification) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  const base::TimePoint until = clock_.Now() + kVerifyPiece;
  return store_.VerifyMore(verification, [&] { return clock_.Now() < until; });
}

// In pieces: reads, writes and grants are served between them.
Result<store::VerifyReport> Agent::Verify() {
  HSM_TRY(store::Verification verification, BeginVerify());
  base::Failpoint("verification-begun");
  for (;;) {
    HSM_TRY(const bool whole, VerifyMore(verification));
    if (whole) return std::move(verification.report);
    clock_.SleepFor(kVerifyPause);  // a lock that is free for no time is taken by nobody else
  }
}

Result<void> Agent::Quarantine(const store::Term& sender,
                               const std::vector<store::IdVersion>& versions) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(Obey(sender));
  for (const store::IdVersion& v : versions) {
    if (v.version.epoch >= sender.epoch)
      return Error(ErrorCode::kInvalid,
                   fmt::format("version {} is of the current epoch and is not set aside",
                               v.version.ToString()));
  }
  return store_.Quarantine(versions);
}

Result<store::Secret> Agent::ReadQuarantined(const store::IdVersion& version) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return store_.ReadQuarantined(version);
}

Result<void> Agent::DiscardQuarantined(const store::IdVersion& version) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  return store_.DiscardQuarantined(version);
}

Result<store::CollectReport> Agent::Collect(base::Duration budget) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());
  const base::TimePoint deadline =
      clock_.Now() + std::clamp<base::Duration>(budget, {}, kLongestCollect);
  return store_.Collect([&] { return clock_.Now() < deadline; });
}

Result<std::uint64_t> Agent::CollectTombstones(const store::Term& sender,
                                               const std::vector<store::IdVersion>& tombstones) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(Obey(sender));
  if (!tombstones.empty()) era_ = rng_.U64();
  return store_.CollectTombstones(tombstones);
}

Result<void> Agent::Initialize(const store::Term& term, bool wipe) {
  const std::lock_guard lock(*monitor_);
  HSM_RETURN_IF_ERROR(EnsureOpen());  // a ledger that was lost is filled again from the token
  HSM_RETURN_IF_ERROR(CheckEpoch(term.epoch));
  // A wipe has a generation of its own; told that one or a later one, this member may count again
  // (docs/adr/0019). An init may come a second time, and as late as a wipe: a member that has been
  // told more since, and whose token is blank now, is not to count as one that holds everything.
  const LedgerState& state = ledger_.state();
  const std::uint64_t least = wipe ? state.generation + 1 : state.generation;
  if (term.epoch == state.epoch && term.generation < least)
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("asked for under generation {}, and {} was seen since",
                             term.generation, state.generation));
  gatekeeper_.Close();
  era_ = rng_.U64();
  auto initialized = store_.Initialize(pool_, member_, term, wipe);
  gatekeeper_.Follow(ledger_.state());
  return initialized;
}

bool Agent::Watch() {
  const std::lock_guard lock(*monitor_);
  if (open_ && !token_.view_lost() && token_.Watch().ok()) return true;
  gatekeeper_.Close();
  return EnsureOpen().ok() && store_.Digest().ok();
}

}  // namespace hsmops::agent
