// The resources of interface.md as typed values, all of them.
#pragma once

#include "libhsmops/cluster/event.h"          // IWYU pragma: export
#include "libhsmops/cluster/hsm_device.h"     // IWYU pragma: export
#include "libhsmops/cluster/hsm_operation.h"  // IWYU pragma: export
#include "libhsmops/cluster/hsm_secret.h"     // IWYU pragma: export
#include "libhsmops/cluster/lease.h"          // IWYU pragma: export
