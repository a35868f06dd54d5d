// Collecting: finished operations go when their time is over, of whatever device, beside the turns
// of the devices: nobody waits for it, and a store that is slow holds up no failover by it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Of one device; the oldest go first.
inline constexpr std::size_t kMaxFinishedOperations = 200;
// Removed at once; of more it is left to chance which, so that some that cannot be removed keep no
// others.
inline constexpr std::size_t kCollectedAtOnce = 16;

// Those of `operations`, which are of one device, that are finished and past their time, and the
// oldest beyond what leaves room for one more; not what is being deleted already. Promotions stay
// while another one waits, which is judged by them. Pure.
std::vector<cluster::HSMOperation> Outdated(std::vector<cluster::HSMOperation> operations,
                                            base::WallTime now);

// Removes some of these, none after one that the store does not answer, and none once `go_on` says
// no, which is asked before each.
void Remove(World& world, std::vector<cluster::HSMOperation> outdated,
            const std::function<bool()>& go_on);

// Both, for all devices of the namespace.
void Collect(World& world, const std::string& ns, const std::function<bool()>& go_on);

}  // namespace hsmops::manager
