// Transcript: a script of command lines and what they showed, as text.
//
//   # a comment, kept
//   @ unplug worker-1            a directive: unplug NODE, plug NODE, file NAME TEXT, tty (for the
//   next line) $ kubectl hsm --local DIR …  a command line, run by sh; DIR is the test's own folder
//   output, both streams, errors after what stdout had
//   [exit 3]                     unless 0
//
// What differs from run to run (times, serials, ids, paths) is replaced by a word in capitals.
#pragma once

#include <string>

namespace hsmops::test {

// Runs `script` and gives the transcript as it came out this time.
std::string RunTranscript(const std::string& script, const std::string& binary);

}  // namespace hsmops::test
