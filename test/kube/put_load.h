// PutLoad: puts by the command line, one after the other, and what each was answered.
//
// What was acknowledged is there afterwards; instead of it there may be what was in doubt, and
// never what was refused.
#pragma once

#include <array>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {

class PutLoad {
 public:
  // Begins; `cluster` must outlive it.
  explicit PutLoad(KubeCluster& cluster);

  int acknowledged() const;
  // Waits for so many acknowledgements more; false: they did not come within 40 s.
  bool Acknowledges(int more) const;
  // Lets the put under way end, and puts no more.
  void End();
  // After that, what is not as it was answered, a line each.
  std::string Wrong();

 private:
  struct Name {
    int last = -1;  // acknowledged
    std::set<int> doubtful;
  };
  void Run(const std::stop_token& stop);
  void PutNext(int number);

  KubeCluster& cluster_;
  mutable std::mutex mutex_;
  std::array<Name, 4> names_;
  int acknowledged_ = 0;
  int refused_ = 0;
  int doubtful_ = 0;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace hsmops::test
