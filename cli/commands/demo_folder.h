// The demo that stays: a cluster folder with three SoftHSM tokens, made and taken down.
#pragma once

#include "cli/context.h"

namespace hsmops::cli {

// Makes the folder that --local names, which must be new or empty. Each gives an exit code.
int DemoUp(Context& context);
// Removes the demo's device with its tokens and its records, and the folder if nothing else is in
// it. Refused in a folder that DemoUp did not make and in one that holds another device.
int DemoDown(Context& context, bool yes);

}  // namespace hsmops::cli
