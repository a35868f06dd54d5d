// What stands in the status of an HSMSecret that no type accepts.
#pragma once

#include "libhsmops/cluster/resource_store.h"

namespace hsmops::manager {

// For `why`: syncStatus Error, lastError, and Synced is False (InvalidSpec), where they are not
// there yet. What was delivered stays.
void ShowRefusedSecret(cluster::ResourceStore& resources, const cluster::Object& secret,
                       const base::Error& why, base::WallTime now);

}  // namespace hsmops::manager
