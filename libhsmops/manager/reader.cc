#include "libhsmops/manager/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "libhsmops/failover/quorum.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// How many of S must hold what is acknowledged.
std::size_t Needed(std::size_t sync_set, int k) {
  return std::min(sync_set, static_cast<std::size_t>(std::max(k, 0)));
}

// What the Primary holds and did not acknowledge before its process ended counts as acknowledged
// once its gate opens; so the members that a write needs must hold it too before it is served
// (protocol.md, 3, I7).
Result<void> Settle(Pool& pool, const std::string& primary) {
  const std::vector<std::string> sync_set = pool.SyncSetNodes();
  // Of S as it is on record: one that is no node any more may come back and be asked alone.
  const std::size_t needed = Needed(pool.arbiter().sync_set.size(), pool.arbiter().k);
  if (needed == 0) return {};
  HSM_TRY(const Comparison comparison, CatchUp(pool, primary, sync_set));
  const std::size_t holding = comparison.Holders().size();
  if (holding >= needed) return {};
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} of {} mirrors in the sync set hold all that {} holds, {} must; "
                           "kubectl hsm sync settles it",
                           holding, pool.arbiter().sync_set.size(), primary, needed));
}

Result<mirror::ReadResult> FromPrimary(Pool& pool, const failover::ClusterState& state,
                                       const Result<void>& obeyed, const store::SecretName& name) {
  const std::string primary = pool.holder();
  if (primary.empty()) return Error(ErrorCode::kUnavailable, "a promotion is unfinished");
  HSM_RETURN_IF_ERROR(obeyed);
  if (std::string why = state.Holder()->WhyUnhealthy(); !why.empty())
    return Error(ErrorCode::kUnavailable, std::move(why));
  if (pool.ReachesMirrors(primary)) {
    auto read = pool.At(primary).Read(name, true);  // it settles by itself, and may have its grant
    if (!read.Is(ErrorCode::kReadOnly)) return read;
  } else {
    HSM_RETURN_IF_ERROR(Settle(pool, primary));
  }
  HSM_RETURN_IF_ERROR(GrantTo(pool, primary));
  return pool.At(primary).Read(name, true);
}

// One answer from somebody else than the Primary, and the version that it is of.
struct Marked {
  Served served;
  store::Version version;
};

}  // namespace

Result<Served> Read(Pool& pool, const store::SecretName& name) {
  // All of them: with S empty nobody else would be asked whether this epoch is over.
  const failover::ClusterState state = pool.ObserveByLatest(false);
  const Result<void> obeyed = CheckEpoch(pool, state);
  auto primary = FromPrimary(pool, state, obeyed, name);
  if (primary.ok()) return Served{std::move(primary->secret), pool.holder(), true, true, "", true};
  std::optional<Marked> best;
  Error worst = primary.error().Within(pool.holder().empty() ? "Primary" : pool.holder());
  // An error is never "there is none".
  if (worst.code() == ErrorCode::kNotFound) worst = Error(ErrorCode::kUnavailable, worst.message());
  cluster::PreviousTerm term = pool.LastTerm();
  // An older record's S says nothing of what was acknowledged since: everybody is asked alike.
  if (obeyed.Is(ErrorCode::kReadOnly) || obeyed.Is(ErrorCode::kConflict)) term.sync_set.clear();
  const unsigned quorum = failover::QuorumOfSyncSet(static_cast<unsigned>(term.sync_set.size()),
                                                    static_cast<unsigned>(std::max(term.k, 0)));
  const std::size_t needed = Needed(term.sync_set.size(), term.k);
  unsigned answered = 0;
  std::size_t holding = 0;  // the best version
  for (const bool of_sync_set : {true, false}) {
    for (const std::string& node : pool.nodes()) {
      if (term.sync_set.contains(pool.UidTextOf(node)) != of_sync_set) continue;
      auto read = pool.At(node).Read(name, false);
      if (!read.ok()) {
        worst = Error(read.Is(ErrorCode::kCorrupt) ? ErrorCode::kCorrupt : worst.code(),
                      fmt::format("{}; {}: {}", worst.message(), node, read.error().message()));
        continue;
      }
      ++answered;
      if (best && read->version == best->version) ++holding;
      // A deletion is a version as well: an older value does not win over it.
      if (best && read->version <= best->version) continue;
      best = Marked{{std::move(read->secret), node, false, of_sync_set, primary.error().message()},
                    read->version};
      holding = 1;
    }
    // A member of S holds everything acknowledged, so those outside, the Primary itself among them,
    // are asked only when none of S answers.
    if (best) {
      // A deletion that fewer hold than must was not acknowledged, and may be undone.
      const bool settled =
          best->served.secret || best->version == store::Version{} || holding >= needed;
      best->served.certain =
          of_sync_set && quorum > 0 && answered >= quorum && settled && pool.IsLatest();
      return std::move(best->served);
    }
  }
  return worst;
}

Result<void> CheckServed(const store::SecretName& name, const Served& served) {
  if (served.secret) return {};
  if (served.certain)
    return Error(ErrorCode::kNotFound, fmt::format("secret {} not found", name.text()));
  return Error(ErrorCode::kUnavailable,
               fmt::format("whether {} exists is unknown: {} has none and may lack acknowledged "
                           "writes, and the Primary does not confirm it: {}",
                           name.text(), served.node, served.why_not_primary));
}

}  // namespace hsmops::manager
