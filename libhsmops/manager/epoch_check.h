// CheckEpoch: an arbiter older than what was seen since, as after a restore from a backup
// (protocol.md, 4), is not obeyed by anybody who would read, write or copy on its word.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// kReadOnly, with the way out: the device's status keeps a higher floor than R's epoch, or a member
// was told of a higher epoch, of another one with this counter or of a later generation of this
// one, on record or not. kConflict: R was overtaken while they were asked, or whether it was cannot
// be read: look again. kUnavailable:
// none of that, and R's holder is no member of the device any more.
base::Result<void> CheckEpoch(const Pool& pool, const failover::ClusterState& state);

// That error, for who knows what the member was told.
base::Error EpochRegressed(const std::string& by_whom, const store::Term& told, const Pool& pool);

// What a member's kStaleEpoch to who goes by the pool's R means: that error, or kConflict where R
// is another by now or cannot be read.
base::Error RefusedAsOlder(const std::string& by_whom, Pool& pool);

}  // namespace hsmops::manager
