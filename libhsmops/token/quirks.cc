#include "libhsmops/token/quirks.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

namespace hsmops::token {
namespace {

constexpr const char* kDescriptors = "/proc/self/fd";
constexpr std::string_view kLockName = "/LCK..APIlock";

std::string PathOf(int descriptor) {
  char path[PATH_MAX];
  const std::string link = std::string(kDescriptors) + "/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}

bool OpenAt(const std::string& path, int wanted) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Without the lock file any other will do: what counts is that it is not one of ours.
  if (descriptor < 0) descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || descriptor == wanted) return descriptor == wanted;
  const int placed = fcntl(descriptor, F_DUPFD_CLOEXEC, wanted);
  close(descriptor);
  if (placed >= 0 && placed != wanted) close(placed);
  return placed == wanted;
}

}  // namespace

OpenCryptokiLock::OpenCryptokiLock() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(kDescriptors), closedir);
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] == '.') continue;
    const int descriptor = std::atoi(entry->d_name);
    const std::string path = PathOf(descriptor);
    if (!path.ends_with(kLockName)) continue;
    path_ = path;
    descriptors_.push_back(descriptor);
  }
}

bool OpenCryptokiLock::PutBack() const {
  std::vector<int> closed;
  for (const int descriptor : descriptors_) {
    if (PathOf(descriptor) != path_) closed.push_back(descriptor);
  }
  if (closed.size() < descriptors_.size()) {
    // The driver had opened another one: it does not forget, and what was put back is in the way.
    for (const int descriptor : descriptors_) {
      if (PathOf(descriptor) == path_) close(descriptor);
    }
    return true;
  }
  for (const int descriptor : closed) {
    if (!OpenAt(path_, descriptor)) return false;
  }
  return true;
}

}  // namespace hsmops::token
