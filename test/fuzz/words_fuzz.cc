// Command lines, a word a line: whatever they say, the answer is one of the documented exit codes,
// a refusal is said on standard error, and nothing from the words reaches the terminal as an
// escape.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/complete.h"
#include "cli/exit_code.h"

namespace {

// Those that would leave this process: a cluster folder, new tokens, files written by themselves;
// and those that are meant to stay.
bool StaysHere(const std::vector<std::string>& words) {
  static const std::set<std::string> kLeave{"init",   "demo",  "completion",
                                            "export", "agent", "manager"};
  for (const std::string& word : words) {
    if (word.starts_with("--local") || word.starts_with("/dev") || word.starts_with("/proc") ||
        kLeave.count(word) != 0)
      return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hsmops::cli;  // NOLINT(google-build-using-namespace): exit codes by name
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<std::string> words;
  for (std::string word; std::getline(lines, word);) words.push_back(word.c_str());
  if (!StaysHere(words)) return 0;
  std::ostringstream out;
  std::ostringstream err;
  std::istringstream in("k=v\n");
  const int code = RunApp(words, Streams{out, err, in}, "/bin/false");
  static const std::set<int> kCodes{kDone,     kFailed,  kUsage,    kConditionNotMet,
                                    kNotFound, kRefused, kAccepted, kPartial};
  if (kCodes.count(code) == 0) std::abort();
  if (code != kDone && err.str().empty()) std::abort();
  const bool colours = err.str().find("\x1b[31merror:\x1b[0m ") == 0;
  if (err.str().find('\x1b', colours ? 14 : 0) != std::string::npos) std::abort();
  (void)Complete(words);
  return 0;
}
