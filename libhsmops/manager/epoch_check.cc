#include "libhsmops/manager/epoch_check.h"

#include <fmt/format.h>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

Error Overtaken() {
  return {ErrorCode::kConflict,
          "the record of who may write was changed meanwhile, or cannot be read again"};
}

Error EpochRegressed(const std::string& by_whom, const std::string& seen, const Pool& pool) {
  return {ErrorCode::kReadOnly,
          fmt::format("EpochRegressed: the record says epoch {}, {} has seen {}; was the record "
                      "restored from a backup? Choose the member to go on from (kubectl hsm status "
                      "shows them), then kubectl hsm failover --to NODE --accept-loss",
                      pool.epoch().ToString(), by_whom, seen)};
}

}  // namespace

Error EpochRegressed(const std::string& by_whom, const store::Term& told, const Pool& pool) {
  const bool same = told.epoch == pool.epoch();
  return EpochRegressed(
      by_whom, same ? fmt::format("its generation {}", told.generation) : told.epoch.ToString(),
      pool);
}

Error RefusedAsOlder(const std::string& by_whom, Pool& pool) {
  const auto now = pool.TermNow();
  return now.ok() && *now == pool.term() ? EpochRegressed(by_whom, "a later one", pool)
                                         : Overtaken();
}

namespace {

Result<void> CheckFloor(const Pool& pool) {
  const std::uint64_t floor = pool.device().status.epoch_floor;
  if (floor <= pool.epoch().counter) return {};
  return EpochRegressed("the device's status", std::to_string(floor), pool);
}

// Every term that a member was told was on record before.
Result<void> CheckTold(const failover::MemberView& member, const Pool& pool) {
  if (!member.ToldLaterThan(pool.term())) return {};
  return EpochRegressed(member.node, *member.told, pool);
}

Result<void> CheckHolder(const Pool& pool) {
  const std::string primary = pool.holder();
  if (primary.empty() || pool.Has(primary)) return {};
  return Error(ErrorCode::kUnavailable,
               fmt::format("the Primary on record, {}, is no member of device {} any more: put "
                           "it back into its YAML, or run kubectl hsm failover",
                           primary, pool.device().metadata.name));
}

}  // namespace

Result<void> CheckEpoch(const Pool& pool, const failover::ClusterState& state) {
  if (state.overtaken) return Overtaken();
  HSM_RETURN_IF_ERROR(CheckFloor(pool));
  for (const failover::MemberView& member : state.members)
    HSM_RETURN_IF_ERROR(CheckTold(member, pool));
  return CheckHolder(pool);  // last: an older record may well name somebody else
}

}  // namespace hsmops::manager
