#include "libhsmops/agent/gatekeeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/mutant.h"

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;
using base::Mutant;
using base::Result;
using mirror::SyncRule;
using store::Epoch;

namespace {

constexpr int kGuardDivisor = 10;  // guard = D / 10
bool HasGuard() { return !base::On(Mutant::kNoDrift) && !base::On(Mutant::kNoGuard); }
constexpr base::Duration kLongestGrant = std::chrono::seconds(300);

}  // namespace

Result<void> CheckNotStale(const Epoch& epoch, const Epoch& highest) {
  if (highest.counter != 0 && highest.Contradicts(epoch)) {
    return Error(ErrorCode::kStaleEpoch, fmt::format("epoch {} is over, this member has seen {}",
                                                     epoch.ToString(), highest.ToString()));
  }
  return {};
}

base::Error ToldNothing() { return {ErrorCode::kNotFound, "it remembers nothing of this pool"}; }

void Gatekeeper::Follow(const store::LedgerState& state) {
  const std::lock_guard lock(mutex_);
  if (state.epoch != term_.epoch) {
    granted_.reset();
    prepared_.clear();
    quiesced_until_ = {};
  }
  if (!state.primary) granted_.reset();
  term_ = {state.epoch, state.generation};
  pool_ = state.pool;
  member_ = state.member;
  primary_ = state.primary;
}

Result<store::Term> Gatekeeper::Told(const store::Uid& pool, const store::Uid& member) const {
  const std::lock_guard lock(mutex_);
  if (pool_ != pool || member_ != member) return ToldNothing();
  return term_;
}

std::uint64_t Gatekeeper::IssueNonce(base::Rng& rng, base::TimePoint now) {
  const std::uint64_t nonce = rng.U64();
  const std::lock_guard lock(mutex_);
  if (nonces_.size() >= kMaxNonces) {
    nonces_.erase(
        std::min_element(nonces_.begin(), nonces_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  nonces_[nonce] = now;
  return nonce;
}

Result<void> Gatekeeper::Check(const mirror::Grant& grant, base::TimePoint now) const {
  const std::lock_guard lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckNotStale(grant.epoch, term_.epoch));
  if (!nonces_.contains(grant.nonce))
    return Error(ErrorCode::kInvalid, "the grant's nonce is not of this run");
  if (grant.duration <= base::Duration(0) || grant.duration > kLongestGrant)
    return Error(ErrorCode::kInvalid, "the grant's duration is out of range");
  if (grant.epoch == term_.epoch && grant.generation < term_.generation &&
      !base::On(Mutant::kGenerationIgnored)) {
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("generation {} is older than {}", grant.generation, term_.generation));
  }
  if (grant.epoch == term_.epoch && now < quiesced_until_)
    return Error(ErrorCode::kReadOnly, "this member stepped aside for a planned promotion");
  return {};
}

bool Gatekeeper::Renews(const mirror::Grant& grant) const {
  const std::lock_guard lock(mutex_);
  return primary_ && granted_ && grant.epoch == term_.epoch && grant.generation == term_.generation;
}

bool Gatekeeper::Accept(const mirror::Grant& grant, base::TimePoint now) {
  const std::lock_guard lock(mutex_);
  const auto nonce = nonces_.find(grant.nonce);
  if (nonce == nonces_.end() || !primary_ || grant.epoch != term_.epoch) return false;
  if (grant.generation < term_.generation && !base::On(Mutant::kGenerationIgnored)) return false;
  std::erase_if(prepared_, [&](const Prepared& p) { return p.generation < grant.generation; });
  // D counts from the nonce: how long the grant was under way says nothing of how long it holds.
  const base::TimePoint issued = base::On(Mutant::kDeadlineFromReceipt) ? now : nonce->second;
  const std::uint64_t known = granted_ ? granted_->grant.max_object_bytes : 0;
  const base::Duration guard = HasGuard() ? grant.duration / kGuardDivisor : base::Duration(0);
  granted_ = Granted{grant, issued + grant.duration - guard};
  if (grant.max_object_bytes == 0) granted_->grant.max_object_bytes = known;
  nonces_.erase(nonce);
  return true;
}

void Gatekeeper::Close() {
  const std::lock_guard lock(mutex_);
  granted_.reset();
}

void Gatekeeper::Resume(base::TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (!primary_) return;
  granted_ = Granted{};
  granted_->grant.epoch = term_.epoch;
  granted_->grant.generation = term_.generation;
  granted_->deadline = now + std::chrono::seconds(10);
}

void Gatekeeper::Quiesce(base::TimePoint until) {
  const std::lock_guard lock(mutex_);
  granted_.reset();
  quiesced_until_ = until;
}

Result<void> Gatekeeper::Gate(base::TimePoint now) const {
  const std::lock_guard lock(mutex_);
  if (!primary_) return Error(ErrorCode::kReadOnly, "this member is not the Primary");
  if (!granted_) return Error(ErrorCode::kReadOnly, "this member has no grant to write");
  if (now >= granted_->deadline)
    return Error(ErrorCode::kReadOnly, "the grant to write has run out");
  return {};
}

std::vector<SyncRule> Gatekeeper::Rules() const {
  std::vector<SyncRule> rules;
  if (granted_) rules.push_back(granted_->grant.rule);
  for (const Prepared& p : prepared_) rules.push_back(p.rule);
  return rules;
}

std::optional<Reach> Gatekeeper::Reaches() const {
  const std::lock_guard lock(mutex_);
  if (!granted_) return std::nullopt;
  Reach reach{term_.epoch, granted_->grant.generation, Rules(), granted_->grant.peers,
              granted_->grant.max_object_bytes};
  for (const Prepared& p : prepared_) reach.peers.insert(p.peers.begin(), p.peers.end());
  return reach;
}

bool Gatekeeper::primary() const {
  const std::lock_guard lock(mutex_);
  return primary_;
}

store::Term Gatekeeper::term() const {
  const std::lock_guard lock(mutex_);
  return term_;
}

Result<void> Gatekeeper::Prepare(const store::Term& term, const SyncRule& rule,
                                 const mirror::PeerAddresses& peers) {
  const std::lock_guard lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckNotStale(term.epoch, term_.epoch));
  const std::uint64_t own = granted_ ? granted_->grant.generation : term_.generation;
  if (term.epoch != term_.epoch || term.generation < own || (granted_ && term.generation != own)) {
    return Error(ErrorCode::kStaleEpoch,
                 fmt::format("prepared under epoch {} generation {}, the grant here is of epoch {} "
                             "generation {}",
                             term.epoch.ToString(), term.generation, term_.epoch.ToString(), own));
  }
  for (Prepared& p : prepared_) {
    if (p.generation != term.generation || p.rule != rule) continue;
    ++p.count;
    return {};
  }
  if (prepared_.size() >= kMaxPrepared)
    return Error(ErrorCode::kLimit, "too many changes of the sync set are under way");
  prepared_.push_back({term.generation, rule, peers, 1});
  return {};
}

void Gatekeeper::Unprepare(const store::Term& term, const SyncRule& rule) {
  const std::lock_guard lock(mutex_);
  if (term.epoch != term_.epoch) return;
  for (Prepared& p : prepared_) {
    if (p.generation == term.generation && p.rule == rule && p.count > 0) --p.count;
  }
  std::erase_if(prepared_, [](const Prepared& p) { return p.count == 0; });
}

std::string Gatekeeper::WhyNotEnough(const std::set<store::Uid>& confirmed) const {
  const std::lock_guard lock(mutex_);
  if (!granted_) return "this member has no grant to write";
  const std::vector<SyncRule> rules = Rules();
  for (const SyncRule& rule : rules) {
    if (rule.HeldBy(confirmed)) continue;
    return fmt::format("{} of {} mirrors that must hold it do", rule.Counted(confirmed),
                       rule.Needed());
  }
  return {};
}

}  // namespace hsmops::agent
