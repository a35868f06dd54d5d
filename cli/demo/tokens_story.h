// The story of three tokens and a person: no agents, no managers, every step a command.
#pragma once

#include "cli/demo/narrator.h"

namespace hsmops::cli {

// kInternal: a command did not show what it should.
base::Result<void> TellOfTokens(Narrator& narrator);

}  // namespace hsmops::cli
