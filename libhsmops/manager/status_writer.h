// StatusWriter: writes a device's status as a leader sees it, when it changes; what changes with
// every look, such as latencies, each 15 s at most. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

class StatusWriter {
 public:
  // `unread`: why what is asked for cannot be read or written; "" where it can. A status that
  // cannot be written is written at the next look.
  void Write(Pool& pool, const failover::ClusterState& state, const std::string& unread);
  void Forget();

 private:
  std::optional<base::TimePoint> written_;          // whole
  std::map<std::string, base::WallTime> equal_at_;  // when each member was last seen to be equal
};

}  // namespace hsmops::manager
