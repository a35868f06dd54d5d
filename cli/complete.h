// Complete: what may stand next on a command line.
#pragma once

#include <string>
#include <vector>

namespace hsmops::cli {

struct Completion {
  std::vector<std::string> words;  // sorted
  bool files = false;              // the shell's own file names, instead
};

// Verbs, flags, and after them values: those that are all there are, and names out of the YAML of
// the folder that --local names. No token is asked. `words` as for RunApp, the last one being
// typed; bash's parting of "--flag=value" into three is understood.
Completion Complete(const std::vector<std::string>& words);

}  // namespace hsmops::cli
