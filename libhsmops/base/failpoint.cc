#include "libhsmops/base/failpoint.h"

#ifdef HSMOPS_MUTANTS

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>

namespace hsmops::base {
namespace {

constexpr useconds_t kBetweenStops = 20'000;

// Whether it is here that this process is to stop. Two threads that come at once are two passes.
bool TakePass(const std::string& path) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct stat is{};
  const bool found = fstat(file, &is) == 0;
  // One that the test has taken away meanwhile stays away: it is shortened, not written anew.
  const bool let_by = found && is.st_size > 0 && ftruncate(file, is.st_size - 1) == 0;
  (void)close(file);
  return found && !let_by && unlink(path.c_str()) == 0;
}

}  // namespace

void Failpoint(const char* name) {
  static const std::string folder = [] {
    const char* text = std::getenv("KHSM_FAILPOINTS");
    return std::string(text == nullptr ? "" : text);
  }();
  if (folder.empty()) return;
  while (TakePass(folder + "/" + name)) {
    // The signal is this thread's, so that it stops here and not a little later; a stop is always
    // that of the whole process.
    (void)std::raise(SIGSTOP);
    (void)usleep(kBetweenStops);
  }
}

}  // namespace hsmops::base

#endif
