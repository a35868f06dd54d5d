// Plots: sequences of faults that more than one test plays.
#pragma once

#include "test/net/scene.h"

namespace hsmops::test {

// The leader alone cannot reach the Primary, whose grant the other managers renew until the fencing
// point: of all failovers the one in which the old gate is open longest. It ends when another's
// gate has been open for a while, healed.
void RefuseTheLeader(Scene& scene);

// The leader is stopped when R has taken its renewal and goes on after another is the Primary: its
// grant is of a nonce of long ago. The old Primary refuses all others, so it was not fenced; it
// goes on refusing them.
void BringLateGrant(Scene& scene);

}  // namespace hsmops::test
