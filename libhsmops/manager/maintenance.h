// Maintenance: a person's word on automatic failover: not now (Pause, Resume), and again (Ack).
#pragma once

#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Carries out a Pause, a Resume or an Ack: into the device's status, where everybody sees it. What
// it did, as a sentence. kInvalid: a Pause whose spec.until is not in the future; and the errors of
// Pool::UpdateStatus.
base::Result<std::string> Maintain(Pool& pool, const cluster::HSMOperation& operation);

}  // namespace hsmops::manager
