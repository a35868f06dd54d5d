#include "libhsmops/health/tracker.h"

#include <algorithm>

namespace hsmops::health {

void Tracker::Saw(const std::string& node, bool healthy, base::TimePoint now, base::Duration took) {
  Row& row = rows_[node];
  if (healthy) {
    row = {};
    return;
  }
  if (row.failures > 0 && now - row.counted < interval_) return;
  if (row.failures == 0) row.since = now - took;
  const auto missed = interval_ > base::Duration(0) ? took / interval_ : 0;
  row.failures += static_cast<int>(std::clamp<base::Duration::rep>(missed, 1, threshold_));
  row.counted = now;
}

Verdict Tracker::Of(const std::string& node) const {
  const auto row = rows_.find(node);
  if (row == rows_.end()) return Verdict::kUnknown;
  if (row->second.failures == 0) return Verdict::kHealthy;
  return row->second.failures < threshold_ ? Verdict::kSuspect : Verdict::kUnhealthy;
}

std::optional<base::TimePoint> Tracker::FailingSince(const std::string& node) const {
  const auto row = rows_.find(node);
  return row == rows_.end() ? std::nullopt : row->second.since;
}

}  // namespace hsmops::health
