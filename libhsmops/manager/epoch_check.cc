#include "libhsmops/manager/epoch_check.h"

#include <fmt/format.h>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

Error EpochRegressed(const std::string& by_whom, const std::string& seen, const Pool& pool) {
  return {ErrorCode::kReadOnly,
          fmt::format("EpochRegressed: the record says epoch {}, {} has seen {}; was the record "
                      "restored from a backup? Choose the member to go on from (kubectl hsm status "
                      "shows them), then kubectl hsm failover --to NODE --accept-loss",
                      pool.epoch().counter, by_whom, seen)};
}

Result<void> CheckRecord(const Pool& pool) {
  const std::string primary = pool.holder();
  if (!primary.empty() && !pool.Has(primary)) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the Primary on record, {}, is no member of device {} any more: put "
                             "it back into its YAML, or run kubectl hsm failover",
                             primary, pool.device().metadata.name));
  }
  const std::uint64_t floor = pool.device().status.epoch_floor;
  if (floor <= pool.epoch().counter) return {};
  return EpochRegressed("the device's status", std::to_string(floor), pool);
}

Result<void> CheckEpoch(const Pool& pool, const failover::ClusterState& state) {
  HSM_RETURN_IF_ERROR(CheckRecord(pool));
  for (const failover::MemberView& member : state.members) {
    if (!member.reachable()) continue;
    if (member.status->epoch > pool.epoch())
      return EpochRegressed(member.node, member.status->epoch.ToString(), pool);
    // Every grant carries a generation that was on record before.
    if (member.status->epoch == pool.epoch() &&
        member.status->generation > pool.arbiter().generation) {
      return EpochRegressed(member.node,
                            fmt::format("its generation {}", member.status->generation), pool);
    }
  }
  return {};
}

}  // namespace hsmops::manager
