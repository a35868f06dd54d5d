// Report: what people are told about a device, from what was seen: its status and its findings.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"
#include "libhsmops/manager/pool.h"
#include "libhsmops/store/inventory.h"

namespace hsmops::manager {

// The status of `device` as `state` shows it at `now`. What only a sync or a promotion knows
// (history, last sync times, the promotion under way) is kept from device.status. Pure.
cluster::HSMDeviceStatus StatusOf(const cluster::HSMDevice& device,
                                  const failover::ClusterState& state, base::WallTime now);

// The same into a status that somebody may have written since `device` was read.
void Show(const cluster::HSMDevice& device, const failover::ClusterState& state, base::WallTime now,
          cluster::HSMDeviceStatus& status);

// What is wrong, worst first, each with the next thing to do. Critical: reads or acknowledged data
// are at risk, or no Primary can be; degraded: one more fault would be critical, or a copy is not
// equal.
std::vector<cluster::Finding> FindingsOf(const cluster::HSMDevice& device,
                                         const failover::ClusterState& state, base::WallTime now);

// The Primary's names in the older layout that adopt cannot take, as one finding. They keep nobody
// from being promoted.
void AddNotAdoptable(const std::string& node, const std::vector<store::LegacyItem>& items,
                     cluster::HSMDeviceStatus& status);
// For a name that adopt cannot take: what can be done, as a part of a sentence.
std::string WayOutOf(const store::LegacyItem& item);

// Of a failover that could be made were the Primary to fail: why no manager would make it by
// itself, as a part of a sentence; empty: one would.
std::string WhyNotByItself(const cluster::HSMDevice& device, const failover::ClusterState& state,
                           base::WallTime now);

// Mirrors with the Primary's digest that it reaches; 0 while the Primary's is not known.
int EqualMirrors(const failover::ClusterState& state);
// Why durability Strict takes no write with so many equal mirrors, as a part of a sentence; empty:
// it would.
std::string WhyStrictRefuses(const cluster::HSMDevice& device, std::size_t members, int equal);

}  // namespace hsmops::manager
