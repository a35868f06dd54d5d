// MemberWatch: what many looks at a device's members come to: who fails, who is not reached by the
// Primary, since when; and the Events of who is lost and who is back. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"
#include "libhsmops/health/tracker.h"
#include "libhsmops/manager/pool.h"
#include "libhsmops/manager/sync_set_keeper.h"

namespace hsmops::manager {

class MemberWatch {
 public:
  // `clock` must outlive it.
  explicit MemberWatch(base::Clock& clock) : clock_(clock) {}

  // Judges as the spec has it from here on; another threshold or interval begins anew. To be called
  // before anything else.
  void Follow(const cluster::FailoverSpec& spec);
  // Another look. Events: DeviceLost, DeviceReturned, PinRejected.
  void Saw(Pool& pool, const failover::ClusterState& state);
  void Forget();

  SyncSetKeeper::Failing FoundOf(const Pool& pool) const;
  bool Fails(const std::string& node) const;
  // Unset: it does not.
  std::optional<base::TimePoint> FailingSince(const std::string& node) const;

 private:
  void SawReach(const failover::ClusterState& state);
  bool Busy(const failover::MemberView& member);
  void TellOfDevice(Pool& pool, const failover::MemberView& member);
  void TellOfPin(Pool& pool, const failover::MemberView& member);

  base::Clock& clock_;
  std::optional<health::Tracker> tracker_;
  std::optional<health::Tracker> reach_;  // of the Primary `reach_of_`, to its mirrors
  std::string reach_of_;
  std::map<std::string, base::TimePoint> busy_since_;
  std::set<std::string> lost_;          // told as DeviceLost
  std::set<std::string> pin_rejected_;  // told as PinRejected
};

}  // namespace hsmops::manager
