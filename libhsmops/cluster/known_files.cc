#include "libhsmops/cluster/known_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace hsmops::cluster {

base::Result<FileStamp> StampOf(const std::string& path) {
  constexpr unsigned kWanted = STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME;
  struct statx st{};
  if (statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, kWanted, &st) != 0)
    return base::ErrnoError("opening", path, errno);
  if ((st.stx_mask & kWanted) != kWanted) {
    return base::Error(base::ErrorCode::kUnavailable,
                       fmt::format("{}: its file system keeps no times", path));
  }
  const auto nanoseconds = [](const statx_timestamp& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return FileStamp{st.stx_dev_major, st.stx_dev_minor,          st.stx_ino,
                   st.stx_size,      nanoseconds(st.stx_mtime), nanoseconds(st.stx_ctime)};
}

}  // namespace hsmops::cluster
