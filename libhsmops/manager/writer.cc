#include "libhsmops/manager/writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/follow_spec.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

Result<Writer> Writer::Open(Pool& pool) {
  Writer writer(pool);
  writer.primary_ = pool.holder();
  if (writer.primary_.empty()) {
    return Error(ErrorCode::kReadOnly,
                 "no Primary: a promotion is unfinished; run kubectl hsm promote or failover again "
                 "to finish it");
  }
  if (pool.ReachesMirrors(writer.primary_)) {
    const auto pulse = pool.At(writer.primary_).TakePulse();
    writer.granted_ = pulse.ok() && pulse->gate_open;
    writer.renew_at_ = pool.world().clock.Now();
    if (writer.granted_) return writer;
  }
  const failover::ClusterState state = pool.Observe(false);
  HSM_RETURN_IF_ERROR(CheckEpoch(pool, state));
  HSM_RETURN_IF_ERROR(FollowSpec(pool));
  const failover::MemberView* primary = state.Holder();
  if (std::string why = primary->WhyUnhealthy(); !why.empty()) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("Primary {} cannot take writes: {}; see kubectl hsm check --for failover",
                    primary->node, why));
  }
  std::vector<std::string> equal;
  std::vector<std::string> lagging;
  for (const failover::MemberView& member : state.members) {
    if (member.holder) continue;
    if (std::string why = member.WhyUnhealthy(); !why.empty()) {
      writer.warnings_.push_back(fmt::format("{} is out of the sync set: {}", member.node, why));
    } else if (member.status->digest == primary->status->digest) {
      equal.push_back(member.node);
    } else if (member.in_sync_set) {
      lagging.push_back(member.node);
    } else {
      writer.warnings_.push_back(
          fmt::format("{} is not equal to the Primary; run kubectl hsm sync", member.node));
    }
  }
  if (!lagging.empty()) {
    // All of them: what one brings back to the Primary the equal ones lack.
    lagging.insert(lagging.end(), equal.begin(), equal.end());
    HSM_TRY(const Comparison after, CatchUp(pool, writer.primary_, lagging));
    equal = after.equal;
    for (const mirror::MemberInventory& mirror : after.mirrors) {
      writer.warnings_.push_back(
          fmt::format("{} lags and left the sync set; run kubectl hsm sync", mirror.node));
    }
  }
  const std::size_t members = pool.nodes().size();
  const std::string why = WhyStrictRefuses(pool.device(), members, static_cast<int>(equal.size()));
  if (!why.empty())
    return Error(ErrorCode::kReadOnly, why + ": writes are refused until sync succeeds");
  HSM_RETURN_IF_ERROR(ChangeSyncSet(pool, equal, pool.device().MinSyncMirrors(members)));
  HSM_RETURN_IF_ERROR(GrantTo(pool, writer.primary_));
  writer.renew_at_ = pool.world().clock.Now() +
                     std::chrono::duration_cast<base::Duration>(pool.arbiter().grant_duration) / 3;
  return writer;
}

Result<void> Writer::Refresh() {
  if (pool_->world().clock.Now() < renew_at_) return {};
  const base::TimePoint now = pool_->world().clock.Now();
  if (granted_) {
    HSM_TRY(const mirror::Pulse pulse, pool_->At(primary_).TakePulse());
    stamp_ = pulse.stamp;
    renew_at_ = now + mirror::kFreshStamp / 2;
    return {};
  }
  HSM_RETURN_IF_ERROR(GrantTo(*pool_, primary_));
  renew_at_ = now + std::chrono::duration_cast<base::Duration>(pool_->arbiter().grant_duration) / 3;
  return {};
}

mirror::SyncSet Writer::SyncSetNow() {
  mirror::SyncSet sync_set;
  for (const std::string& node : pool_->SyncSetNodes())
    sync_set.mirrors[node] = {MemberUid(pool_->uid(), node), &pool_->At(node)};
  return sync_set;
}

std::vector<Result<mirror::Acknowledged>> Writer::WriteBatch(std::vector<store::Write> batch) {
  if (!granted_) {
    return mirror::ReplicatedWrite(primary_, pool_->At(primary_), SyncSetNow(), pool_->term(),
                                   pool_->max_object_bytes(), std::move(batch),
                                   pool_->world().executor);
  }
  const std::size_t count = batch.size();
  auto results = pool_->At(primary_).Put(stamp_, std::move(batch));
  if (results.ok() && results->size() == count) return *std::move(results);
  const Error error =
      results.ok() ? Error(ErrorCode::kInDoubt, "fewer answers than writes") : results.error();
  return std::vector<Result<mirror::Acknowledged>>(count, error);
}

// A batch must end well within the grant, or its acknowledgements would all come too late; so its
// size follows from how long the one before took.
std::vector<Result<mirror::Acknowledged>> Writer::Write(std::vector<store::Write> writes,
                                                        const mirror::Progress& progress) {
  std::vector<Result<mirror::Acknowledged>> results;
  const std::size_t total = writes.size();
  std::size_t size = kFirstBatch;
  base::Clock& clock = pool_->world().clock;
  for (std::size_t at = 0; at < total;) {
    if (auto fresh = Refresh(); !fresh.ok()) {
      while (results.size() < total) results.emplace_back(fresh.error().Within("not tried"));
      break;
    }
    const std::size_t end = std::min(at + size, total);
    std::vector<store::Write> batch(
        std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(at)),
        std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(end)));
    const base::TimePoint begin = clock.Now();
    auto answers = WriteBatch(std::move(batch));
    const base::Duration took = std::max(clock.Now() - begin, base::Duration(1));
    for (auto& answer : answers) results.push_back(std::move(answer));
    if (progress) progress(results.size(), total);
    const base::Duration room = pool_->arbiter().grant_duration / 4;
    const auto fits = static_cast<std::size_t>(room / took) * (end - at);
    size = std::clamp<std::size_t>(fits, 1, granted_ ? mirror::kMaxPut : kWriteBatch);
    at = end;
  }
  return results;
}

}  // namespace hsmops::manager
