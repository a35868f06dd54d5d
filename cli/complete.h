// Complete: what may stand next on a command line.
#pragma once

#include <string>
#include <vector>

namespace hsmops::cli {

struct Completion {
  std::vector<std::string> words;  // sorted
  bool files = false;              // the shell's own file names, instead
};

// Verbs, flags, and after them values: those that are all there are, and names in the cluster that
// the words before name: out of the YAML of a folder, or from an API server and, behind it, the
// live API. No token is asked here. What cannot be had completes to nothing, and nobody is told.
// `words` as for RunApp, the last one being typed; bash's parting of "--flag=value" into three is
// understood.
Completion Complete(const std::vector<std::string>& words);

// The same as a shell or kubectl asks it, on standard output, with cobra's directive in the last
// line. Never takes longer than two seconds and says nothing on standard error. For a process that
// does nothing else.
int PrintCompletion(const std::vector<std::string>& words);

}  // namespace hsmops::cli
