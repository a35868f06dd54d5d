#include "libhsmops/base/failpoint.h"

#ifdef HSMOPS_MUTANTS

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace hsmops::base {
namespace {

constexpr useconds_t kBetweenStops = 20'000;

}  // namespace

void Failpoint(const char* name) {
  static const std::string folder = [] {
    const char* text = std::getenv("KHSM_FAILPOINTS");
    return std::string(text == nullptr ? "" : text);
  }();
  if (folder.empty()) return;
  while (unlink((folder + "/" + name).c_str()) == 0) {
    // The signal is this thread's, so that it stops here and not a little later; a stop is always
    // that of the whole process.
    (void)std::raise(SIGSTOP);
    (void)usleep(kBetweenStops);
  }
}

}  // namespace hsmops::base

#endif
