// Watcher: tells what changed in the resource store since it looked last: R, Events, operations and
// what the device's status says.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "test/sim/cluster.h"
#include "test/stories/notebook.h"

namespace hsmops::stories {

class Watcher {
 public:
  // Called with "P0", "P1", "P2", "P4" and "P7" when a promotion has come there.
  using Step = std::function<void(const std::string& step)>;
  Watcher(sim::Cluster& cluster, Notebook& notebook, Step step)
      : cluster_(cluster), notebook_(notebook), step_(std::move(step)) {}

  void Look();
  std::string NodesOf(const std::set<std::string>& uids) const;

 private:
  void LookAtRecord();
  void LookAtOperations();
  void LookAtEvents();
  void LookAtStatus();

  sim::Cluster& cluster_;
  Notebook& notebook_;
  const Step step_;
  std::uint64_t looked_at_ = ~std::uint64_t{0};
  std::optional<cluster::Arbiter> record_;
  std::map<std::string, cluster::HSMOperation> operations_;
  std::map<std::string, int> events_;  // how often each was told
  std::string status_;                 // the last that was written of it
  std::string promised_;               // the nonce of the promotion that it names
};

}  // namespace hsmops::stories
