#include "libhsmops/manager/front.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/manager/operation_log.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::Acknowledged;

Result<Pool*> Front::pool() {
  looked_ = {};
  HSM_TRY(Pool * pool, Recent());
  // Where it counts again the reinit is over, or about to be, and a watch may be late to tell.
  if (pool->LeavesAlone()) (void)pool->ReloadLatestArbiter();
  return pool;
}

Result<Pool*> Front::Recent() {
  const base::TimePoint now = world_.clock.Now();
  if (pool_ && now - looked_ < kFrontLook) return pool_.get();
  auto fresh = Refresh();
  // That this manager knows no such device says nothing of any secret.
  if (fresh.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, fresh.error().message());
  HSM_RETURN_IF_ERROR(fresh);
  LeaveWipedAlone();
  looked_ = now;
  return pool_.get();
}

Result<void> Front::Refresh() {
  if (pool_) {
    HSM_TRY(const bool changed, pool_->ReloadDevice());
    if (!changed) return pool_->ReloadArbiter();
  }
  HSM_TRY(pool_, Pool::Open(world_, ns_, device_));
  return {};
}

// A member that is wiped answers late, and what it says says nothing of how it will be.
void Front::LeaveWipedAlone() {
  // Reading all operations is work, and where everybody counts nobody is wiped.
  const bool all_count = std::ranges::all_of(
      pool_->nodes(), [this](const std::string& node) { return pool_->Counts(node); });
  const auto reinit = all_count ? std::nullopt : RunningReinit(world_, ns_, device_);
  pool_->LeaveAlone(reinit ? reinit->spec.target_node : "", reinit ? reinit->metadata.name : "");
}

// That there is none may be over by now, and neither this front nor a watch have seen it. Who waits
// for an API server that does not answer makes no others wait. `none`: of the error that there is
// none.
Result<std::string> Front::PrimaryNow(Pool& pool, ErrorCode none) {
  const base::TimePoint now = world_.clock.Now();
  const bool unknown = !pool.Has(pool.holder());  // or there is none
  if (unknown && now >= next_latest_) {
    looked_ = {};
    const bool answered = pool.ReloadLatestArbiter().ok();
    next_latest_ = world_.clock.Now() + (answered ? kLatestLook : kFrontLook);
  }
  const std::string primary = pool.holder();
  if (primary.empty()) return Error(none, "no Primary: a promotion is under way");
  if (pool.Has(primary)) return primary;
  return Error(none, fmt::format("{} is the Primary, and no node of device {} as far as this "
                                 "manager knows",
                                 primary, device_));
}

Result<mirror::Stamp> Front::TakeStamp() {
  HSM_TRY(Pool * pool, Recent());
  HSM_TRY(const std::string primary, PrimaryNow(*pool, ErrorCode::kUnavailable));
  auto pulse = pool->At(primary).TakePulse();
  if (!pulse.ok()) looked_ = {};
  HSM_RETURN_IF_ERROR(pulse);
  if (pulse->gate_open) return pulse->stamp;
  // Perhaps it is another by now, who would take a stamp of this one's for one that is too old; and
  // a watch may not have told of that yet.
  looked_ = {};
  HSM_TRY(pool, Recent());
  HSM_RETURN_IF_ERROR(pool->ReloadLatestArbiter());
  if (!pool->Has(pool->holder()) || pool->holder() == primary) return pulse->stamp;
  HSM_TRY(pulse, pool->At(pool->holder()).TakePulse());
  return pulse->stamp;
}

Result<std::vector<Result<Acknowledged>>> Front::Put(const mirror::Stamp& stamp,
                                                     std::vector<store::Write> writes) {
  HSM_TRY(Pool * pool, Recent());
  HSM_TRY(const std::string primary, PrimaryNow(*pool, ErrorCode::kReadOnly));
  std::vector<store::Write> again;
  for (const store::Write& write : writes) again.push_back(write.Clone());
  auto results = pool->At(primary).Put(stamp, std::move(writes));
  if (results.ok()) return results;
  looked_ = {};  // perhaps it is another by now
  const auto moved = MovedTo(*pool, primary, results, stamp);
  if (!moved) return std::move(results).Within(primary);
  return pool->At(*moved).Put(stamp, std::move(again)).Within(*moved);
}

// Who is the Primary since, where the one of before did nothing and a watch is late to tell; if the
// stamp is that one's, who takes no other's.
std::optional<std::string> Front::MovedTo(Pool& pool, const std::string& primary,
                                          const Result<std::vector<Result<Acknowledged>>>& answer,
                                          const mirror::Stamp& stamp) {
  if (!answer.Is(ErrorCode::kReadOnly) || !pool.ReloadLatestArbiter().ok()) return std::nullopt;
  const std::string now = pool.holder();
  if (now == primary || !pool.Has(now)) return std::nullopt;
  const auto pulse = pool.At(now).TakePulse();
  if (!pulse.ok() || pulse->stamp.run != stamp.run) return std::nullopt;
  return now;
}

// nullopt: it is the Primary's turn, or the mirror has nothing to give.
std::optional<Served> Front::FromMirror(Pool& pool, const store::SecretName& name) {
  const std::vector<std::string> mirrors = pool.SyncSetNodes();
  const std::size_t turn = world_.rng.U64() % (mirrors.size() + 1);
  if (turn == mirrors.size()) return std::nullopt;
  auto read = pool.At(mirrors[turn]).Read(name, false);
  if (!read.ok() || !read->secret) return std::nullopt;
  return Served{std::move(read->secret),       mirrors[turn], false, true,
                "policy Active spreads reads", false};
}

Result<Served> Front::Get(const store::SecretName& name) {
  HSM_TRY(Pool * pool, Recent());
  const std::string primary = pool->holder();
  if (pool->device().policy() == cluster::MirroringPolicy::kActive && !primary.empty()) {
    if (auto spread = FromMirror(*pool, name)) return std::move(*spread);
  }
  if (!primary.empty()) {
    auto read = pool->At(primary).Read(name, true);
    if (read.ok()) return Served{std::move(read->secret), primary, true, true, "", true};
  }
  looked_ = {};
  HSM_TRY(pool, Recent());
  return Read(*pool, name);
}

}  // namespace hsmops::manager
