#include "libhsmops/manager/reader.h"

#include <fmt/format.h>

#include "libhsmops/manager/writer.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

Result<mirror::ReadResult> FromPrimary(Pool& pool, const store::SecretName& name) {
  const std::string primary = pool.holder();
  if (primary.empty()) return Error(ErrorCode::kUnavailable, "a promotion is unfinished");
  HSM_TRY(const mirror::MemberStatus status, pool.At(primary).Status(false));
  for (const mirror::ProbeStep& step : status.probe) {
    if (step.outcome == mirror::ProbeStep::Outcome::kFailed)
      return Error(ErrorCode::kUnavailable, step.message);
  }
  if (status.standing != store::Standing::kMember)
    return Error(ErrorCode::kUnavailable, status.standing_reason);
  HSM_RETURN_IF_ERROR(GrantTo(pool, primary, status.nonce));
  return pool.At(primary).Read(name, true);
}

}  // namespace

Result<Served> Read(Pool& pool, const store::SecretName& name) {
  auto primary = FromPrimary(pool, name);
  if (primary.ok()) return Served{std::move(primary->secret), pool.holder(), true, true, ""};
  Served best;
  bool answered = false;
  Error worst = primary.error().Within(pool.holder().empty() ? "Primary" : pool.holder());
  const auto& sync_set =
      pool.arbiter().previous ? pool.arbiter().previous->sync_set : pool.arbiter().sync_set;
  for (const bool of_sync_set : {true, false}) {
    for (const std::string& node : pool.nodes()) {
      if (node == pool.holder() || sync_set.contains(pool.UidTextOf(node)) != of_sync_set) continue;
      auto read = pool.At(node).Read(name, false);
      if (!read.ok()) {
        worst = Error(read.Is(ErrorCode::kCorrupt) ? ErrorCode::kCorrupt : worst.code(),
                      fmt::format("{}; {}: {}", worst.message(), node, read.error().message()));
        continue;
      }
      const bool newer =
          !answered ||
          (read->secret && (!best.secret || best.secret->version < read->secret->version));
      if (newer)
        best = Served{std::move(read->secret), node, false, of_sync_set, primary.error().message()};
      answered = true;
    }
    // A member of S holds everything acknowledged, so those outside are asked only when none of S
    // answers.
    if (answered) return best;
  }
  return worst;
}

}  // namespace hsmops::manager
