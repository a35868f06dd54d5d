// RecordSync: what a sync did and found, in the device's status and Events.
#pragma once

#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

// Status, conditions and Events follow from what is seen after the sync. False: something is
// damaged still, which members that lack the same agree in.
bool RecordSync(Pool& pool, const SyncReport& report);

}  // namespace hsmops::manager
