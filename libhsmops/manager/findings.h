// Findings: what is wrong with a device, each with the next thing to do, from what was seen. Pure.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"
#include "libhsmops/store/inventory.h"

namespace hsmops::manager {

// Worst first. Critical: reads or acknowledged data are at risk, or no Primary can be; degraded:
// one more fault would be critical, or a copy is not equal.
std::vector<cluster::Finding> FindingsOf(const cluster::HSMDevice& device,
                                         const failover::ClusterState& state, base::WallTime now);

// In the place of what was said of the Primary: this one is being promoted. Until somebody looks
// again.
void AddFailingOver(const std::string& target, cluster::HSMDeviceStatus& status);

// The Primary's names in the older layout that adopt cannot take, as one finding. They keep nobody
// from being promoted.
void AddNotAdoptable(const std::string& node, const std::vector<store::LegacyItem>& items,
                     cluster::HSMDeviceStatus& status);
// What is asked for is carried out no more, for `why`, and nobody would see it.
void AddOperationsUnreadable(const std::string& device, const std::string& why,
                             cluster::HSMDeviceStatus& status);
// For a name that adopt cannot take: what can be done, as a part of a sentence.
std::string WayOutOf(const store::LegacyItem& item);

// Of a failover that could be made were the Primary to fail: why no manager would make it by
// itself, as a part of a sentence; empty: one would.
std::string WhyNotByItself(const cluster::HSMDevice& device, const failover::ClusterState& state,
                           base::WallTime now);

}  // namespace hsmops::manager
