// RecordedDevice: an HSMDevice as the managers last wrote it, for who talks to the API server
// alone.
#pragma once

#include <string>

#include "cli/context.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cli {

// With findings that only its reader can have: NoManager, where nobody leads now, NotSeen, where
// nobody has written anything yet, and StatusIsOld, where that was minutes ago. What it says is as
// old as AsOf tells.
base::Result<cluster::HSMDevice> RecordedDevice(Context& context, cluster::ResourceStore& resources,
                                                cluster::HSMDevice device);

// Whether the worst of its findings, which come first, is critical.
bool IsCritical(const cluster::HSMDevice& device);

// "as of 3s ago", of the last look at any of its members.
std::string AsOf(Context& context, const cluster::HSMDevice& device);

}  // namespace hsmops::cli
