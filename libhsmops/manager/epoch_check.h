// CheckEpoch: an arbiter older than what was seen since, as after a restore from a backup
// (protocol.md, 4), is not obeyed by anybody who would read, write or copy on its word.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// kReadOnly, with the way out: the device's status keeps a higher floor than R's epoch, or a member
// was told of a higher epoch, of another one with this counter or of a later generation of this
// one, on record or not. kUnavailable:
// none of that, and R's holder is no member of the device any more.
base::Result<void> CheckEpoch(const Pool& pool, const failover::ClusterState& state);

// That error, for who knows what the member was told, and for who learns of it from its
// kStaleEpoch.
base::Error EpochRegressed(const std::string& by_whom, const store::Term& told, const Pool& pool);
base::Error EpochRegressed(const std::string& by_whom, const std::string& seen, const Pool& pool);

}  // namespace hsmops::manager
