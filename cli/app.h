// App: from words to a verb and back to an exit code. The only place that knows the parser.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace hsmops::cli {

// `words`: the command line without the program's own name. `program`: the path of this binary, to
// start token processes from.
int RunApp(const std::vector<std::string>& words, Streams streams, const std::string& program);

// What may stand next on a command line: verbs, flags, and names known without asking a token.
// `words` as for RunApp, the last one being typed.
std::vector<std::string> Complete(const std::vector<std::string>& words);

}  // namespace hsmops::cli
