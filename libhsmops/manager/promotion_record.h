// What people are told of a promotion that has ended: the device's history and status, and an
// Event.
//
// R is what counts. What cannot be written here is told by the next leader, or not at all.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// `fenced`: past P2, so that it stays under way until somebody brings it to its end. One that
// succeeded is told once, whoever tells it, and nobody says afterwards that it did not. False: that
// was so.
bool RecordPromotion(Pool& pool, const cluster::HistoryEntry& entry, bool fenced);

// A promotion that R has seen to its end and whose manager ended between P7 and saying so: tells it
// in its stead. `operation`: the one that it belongs to; nullptr: it is not there any more.
void RecordInItsStead(Pool& pool, const cluster::HSMOperation* operation);
// Whether there is one, and the name of its operation.
std::optional<std::string> UntoldPromotion(const Pool& pool);

}  // namespace hsmops::manager
