#include "libhsmops/manager/grant.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/manager/epoch_check.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// The digest that the target confirmed at its promotion; unset once its gate has opened.
std::optional<base::Digest> TargetDigest(const cluster::Arbiter& r) {
  if (r.target_digest.empty()) return std::nullopt;
  const auto bytes = base::FromHex(r.target_digest);
  if (!bytes.ok() || bytes->size() != std::tuple_size_v<base::Digest>)
    return base::Digest{};  // matches nothing
  base::Digest digest{};
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

}  // namespace

Result<void> GrantTo(Pool& pool, const std::string& node) {
  if (pool.arbiter().phase != cluster::ArbiterPhase::kNormal || pool.holder() != node) {
    return Error(ErrorCode::kReadOnly, fmt::format("{} is not the Primary on record", node));
  }
  HSM_TRY(const mirror::Pulse pulse, pool.At(node).TakePulse().Within(node));
  if (pulse.term.Contradicts(pool.term())) {
    // Only looked at: who goes on with the pool's R, which it has judged, is to fail at its next
    // compare-and-swap.
    HSM_TRY(const store::Term now, pool.TermNow());
    if (!pulse.term.Contradicts(now))
      return Error(ErrorCode::kConflict, "the arbiter was changed meanwhile");
    return EpochRegressed(node, pulse.term, pool);
  }
  // A compare-and-swap, not a read: a read may be stale.
  if (base::On(base::Mutant::kRenewByRead)) {
    HSM_RETURN_IF_ERROR(pool.ReloadArbiter());
  } else {
    HSM_RETURN_IF_ERROR(pool.Swap(pool.arbiter()).Within("renewing the arbiter"));
  }
  pool.FollowPolicy();
  mirror::Grant grant;
  grant.nonce = pulse.nonce;
  grant.epoch = pool.epoch();
  grant.generation = pool.arbiter().generation;
  grant.duration = pool.arbiter().grant_duration;
  grant.digest = TargetDigest(pool.arbiter());
  grant.rule = pool.RuleOf(pool.arbiter());
  grant.peers = pool.PeersOf(grant.rule);
  grant.max_object_bytes = pool.max_object_bytes();
  HSM_RETURN_IF_ERROR(pool.At(node).OpenGate(grant).Within(node));
  if (pool.arbiter().target_digest.empty()) return {};
  cluster::Arbiter opened = pool.arbiter();
  opened.target_digest.clear();
  // If this fails the digest stays, and a member that has opened its gate in this epoch does not
  // ask again.
  (void)pool.Swap(std::move(opened));
  return {};
}

Result<void> OpenIfPromised(Pool& pool) {
  if (pool.arbiter().target_digest.empty()) return {};
  return GrantTo(pool, pool.holder());
}

}  // namespace hsmops::manager
