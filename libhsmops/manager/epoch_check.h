// CheckRecord and CheckEpoch: an arbiter older than what was seen since, as after a restore from a
// backup (protocol.md, 4), is not obeyed by anybody who would read, write or copy on its word.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// By what is recorded alone. kUnavailable: R's holder is no member of the device any more.
// kReadOnly, with the way out: the device's status keeps a higher floor than R's epoch.
base::Result<void> CheckRecord(const Pool& pool);
// The same, or some member has seen a higher epoch, or a later generation of this one.
base::Result<void> CheckEpoch(const Pool& pool, const failover::ClusterState& state);

// That error, for who learns of it from a member's kStaleEpoch.
base::Error EpochRegressed(const std::string& by_whom, const std::string& seen, const Pool& pool);

}  // namespace hsmops::manager
