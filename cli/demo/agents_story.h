// The story of agents and managers: what a cluster does when nobody is at the keyboard.
#pragma once

#include "cli/demo/narrator.h"

namespace hsmops::cli {

// kInternal: a command did not show what it should. kUnavailable: a process did not start.
base::Result<void> TellOfAgents(Narrator& narrator);

}  // namespace hsmops::cli
