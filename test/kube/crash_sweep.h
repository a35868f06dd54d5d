// CrashSweep: what is asked for again and again, while the manager that leads is killed each time
// at another point of it.
//
// The cluster has two managers. The other one takes over, and the killed one comes back.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {

class CrashSweep {
 public:
  // Asks, and says how it ended.
  using Asked = std::function<Ended()>;
  // What has to be so after it, with both managers running.
  using Checks = std::function<void(const Ended&)>;

  CrashSweep(KubeCluster& cluster, Asked asked, Checks checks)
      : cluster_(cluster), asked_(std::move(asked)), checks_(std::move(checks)) {}

  // Kills the leader at its first pass of this failpoint, at its second, …, until it has ended
  // without having come there so often; of what is passed all the time, at so many passes at most.
  void At(const std::string& place, int most = 64);

  // At how many points it was killed, by place.
  const std::map<std::string, int>& points() const { return points_; }
  std::string Shown() const;

 private:
  bool KillAt(const std::string& place, int pass);
  // False: it has ended without.
  bool Stops(int leader, const std::string& place, const std::function<bool()>& ended);

  KubeCluster& cluster_;
  const Asked asked_;
  const Checks checks_;
  std::map<std::string, int> points_;
};

}  // namespace hsmops::test
