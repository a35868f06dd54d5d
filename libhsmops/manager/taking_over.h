// TakingOver: what the leader before had in hand, when the next one begins.
#pragma once

#include <set>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Operations that say Running and that no manager works on any more, when a leader begins: ended as
// the device's history says they did; begun again where nothing of them is on record. What the
// record still names as running stays, and so do those that this leader has `in_hand`. A
// promotion that nobody could tell the end of is told first.
base::Result<void> TakeOver(Pool& pool, const std::set<std::string>& in_hand = {});

}  // namespace hsmops::manager
