// FollowSpec: D as the device's spec has it now, into R.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Grants of the D before may still be held; who promotes waits for the longest of them all.
base::Result<void> FollowSpec(Pool& pool);

}  // namespace hsmops::manager
