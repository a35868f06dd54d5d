#include "libhsmops/manager/promotion_record.h"

#include <fmt/format.h>

#include <algorithm>

namespace hsmops::manager {

using cluster::HistoryEntry;

namespace {

constexpr const char* kSucceeded = "Succeeded";

bool IsTold(const cluster::HSMDeviceStatus& status, std::uint64_t epoch) {
  return std::any_of(status.history.begin(), status.history.end(), [&](const HistoryEntry& one) {
    return one.epoch == epoch && one.outcome == kSucceeded;
  });
}

// By another leader, while this one was stopped: what it has to say of its own try is over. An
// operation of that name that ended before this try began was another one.
bool HasSucceeded(const cluster::HSMDeviceStatus& status, const HistoryEntry& entry) {
  if (entry.operation.empty() || !entry.time || !entry.duration_ms) return false;
  const base::WallTime began = *entry.time - std::chrono::milliseconds(*entry.duration_ms);
  return std::ranges::any_of(status.history, [&](const HistoryEntry& one) {
    return one.operation == entry.operation && one.outcome == kSucceeded && one.time >= began;
  });
}

void UseUpAcknowledgement(cluster::HSMDeviceStatus& status, base::WallTime now) {
  if (!cluster::FindCondition(status.conditions, cluster::kFailoverAcknowledged)) return;
  cluster::SetCondition(status.conditions,
                        {cluster::kFailoverAcknowledged, cluster::ConditionStatus::kFalse, "Used",
                         "a failover came after it", 0, std::nullopt},
                        now);
}

}  // namespace

bool RecordPromotion(Pool& pool, const HistoryEntry& entry, bool fenced) {
  const bool done = entry.outcome == kSucceeded;
  bool told = false;
  (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) {
    told = done ? IsTold(status, entry.epoch) : HasSucceeded(status, entry);
    if (told) return;
    status.Remember(entry);
    const bool its = status.promotion && status.promotion->operation == entry.operation;
    if (done || (!fenced && its)) status.promotion.reset();
    if (!fenced) status.phase = cluster::DevicePhase::kUnset;  // the next look says what it is
    if (!done) return;
    if (!status.mirroring) status.mirroring.emplace();
    ++status.mirroring->failover_count;
    status.primary_node = entry.to;
    if (entry.type == cluster::kUnplanned) UseUpAcknowledgement(status, pool.world().clock.Wall());
  });
  if (!done || told) return !told;
  const bool loses = entry.lost != "none";
  pool.Tell(loses ? cluster::EventType::kWarning : cluster::EventType::kNormal, "HSMFailover",
            fmt::format("{} from {} to {}, epoch {}, lost {}{}", entry.type, entry.from, entry.to,
                        entry.epoch, entry.lost, entry.cause.empty() ? "" : ": " + entry.cause));
  return true;
}

std::optional<std::string> UntoldPromotion(const Pool& pool) {
  const auto& promotion = pool.device().status.promotion;
  const cluster::Arbiter& r = pool.arbiter();
  if (!promotion || r.phase != cluster::ArbiterPhase::kNormal) return std::nullopt;
  const bool same = promotion->epoch.counter == r.epoch.counter &&
                    promotion->epoch.nonce == fmt::format("{:016x}", r.epoch.nonce);
  if (!same || pool.holder() != promotion->target) return std::nullopt;
  const auto& history = pool.device().status.history;
  const bool told = std::any_of(history.begin(), history.end(), [&](const HistoryEntry& one) {
    return one.epoch == promotion->epoch.counter;
  });
  if (told) return std::nullopt;  // also when it was told as failed: its gate did not open
  return promotion->operation;
}

void RecordInItsStead(Pool& pool, const cluster::HSMOperation* operation) {
  const cluster::PromotionStatus promotion = *pool.device().status.promotion;
  const std::string before = pool.device().status.primary_node;
  HistoryEntry entry;
  entry.time = pool.world().clock.Wall();
  entry.type = cluster::kUnplanned;
  entry.outcome = kSucceeded;
  entry.from = before == promotion.target ? "" : before;
  entry.to = promotion.target;
  entry.epoch = promotion.epoch.counter;
  entry.operation = promotion.operation;
  entry.lost = "unknown: its manager ended before it could say";
  if (operation != nullptr) {
    if (operation->spec.type == cluster::OperationType::kPromote) entry.type = "Promote";
    entry.cause = operation->spec.reason;
    if (!operation->spec.accept_loss) entry.lost = "none";  // P5 lets nothing else pass
  }
  RecordPromotion(pool, entry, true);
}

}  // namespace hsmops::manager
