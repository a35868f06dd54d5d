// Stage: what the acts of a script do to a cluster.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/cluster/hsm_operation.h"
#include "libhsmops/cluster/lease.h"
#include "test/sim/cluster.h"

namespace hsmops::stories {

class Stage {
 public:
  explicit Stage(sim::Cluster& cluster);

  // kInvalid: nobody knows what that is. Must not be called from a fibre.
  base::Result<void> Do(const std::vector<std::string>& words);
  // Whom these are now: "leader" is "manager-1".
  std::vector<std::string> Who(const std::string& name) const;
  sim::ManagerHost* Leader() const;
  sim::AgentHost* Primary() const;
  // A failover was asked for that may lose what was acknowledged.
  bool loss_accepted() const { return loss_accepted_; }

 private:
  using Words = std::vector<std::string>;
  base::Result<void> DoTo(const std::string& verb, const std::string& host, const Words& words);
  base::Result<void> Cut(const std::string& host, const Words& words);
  base::Result<void> Ask(cluster::OperationType type, const Words& words);
  base::Result<void> OnRecord(const std::string& verb);
  void End(const std::string& host);
  void Begin(const std::string& host);
  void Join(const std::string& host);
  void Separate(const std::string& a, const std::string& b);
  sim::AgentHost* Agent(const std::string& name) const;
  sim::ManagerHost* Manager(const std::string& name) const;
  std::vector<std::string> Everybody() const;
  std::string NodeOf(const std::string& uid) const;

  sim::Cluster& cluster_;
  std::optional<cluster::Lease> kept_;  // R, and what the device's status said then
  cluster::HSMDeviceStatus kept_status_;
  int operations_ = 0;
  bool loss_accepted_ = false;
};

}  // namespace hsmops::stories
