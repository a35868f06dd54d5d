// Settling writes: sent again, with the same opIds, until it is known of each whether it was done.
#pragma once

#include <functional>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::manager {

// Another way, or the same one later, may answer better: surely nothing was done.
bool Passing(base::ErrorCode code);

// One way to the Primary: one result a write, or what became of all of them.
using SendWrites = std::function<base::Result<std::vector<base::Result<mirror::Acknowledged>>>(
    const std::vector<store::Write>&)>;

// One result a write, in order. What surely was not done is asked once of each way, which is at
// least one; what is in doubt round after round, until it is settled or the deadline; kInDoubt
// then.
std::vector<base::Result<mirror::Acknowledged>> SettleWrites(std::vector<store::Write> writes,
                                                             const std::vector<SendWrites>& ways,
                                                             base::Clock& clock,
                                                             base::TimePoint deadline);

}  // namespace hsmops::manager
