// App: from words to a verb and back to an exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace hsmops::cli {

// `words`: the command line without the program's own name. `program`: the path of this binary, to
// start token processes from.
int RunApp(const std::vector<std::string>& words, Streams streams, const std::string& program);

}  // namespace hsmops::cli
