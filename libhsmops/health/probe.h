// Probe: asks a device whether it works, rung by rung, and stops at the first that does not hold.
#pragma once

#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::health {

// The rungs in order: slot (the token is there), pin (its state), session (a logged-in view),
// random (16 bytes, not all alike), canary (its EPOCH object reads as written), room (objects and
// bytes left). Touches the device; a rung after a failed one is skipped. `store` may be closed.
std::vector<mirror::ProbeStep> Climb(token::Token& token, store::SecretStore& store,
                                     const store::Uid& pool, const store::Uid& member,
                                     base::Clock& clock);

}  // namespace hsmops::health
