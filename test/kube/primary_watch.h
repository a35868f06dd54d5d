// PrimaryWatch: asks each agent, again and again, whether it takes writes.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {

class PrimaryWatch {
 public:
  // Begins; `cluster` must outlive it.
  explicit PrimaryWatch(KubeCluster& cluster);

  // Empty: at no look did two take writes. Else which two.
  std::string Two() const;
  // At how many looks this one took writes.
  int Looks(const std::string& node) const;

 private:
  void Run(const std::stop_token& stop);
  void Look();

  KubeCluster& cluster_;
  mutable std::mutex mutex_;
  std::map<std::string, int> looks_;
  std::string two_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace hsmops::test
