#include "libhsmops/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace hsmops::base {
namespace {

constexpr std::chrono::milliseconds kLockPoll{10};

// Where something is to be made, "not there" is an obstacle and not an answer.
Error NoFolder(std::string_view doing, const std::string& path, const std::string& folder) {
  return {ErrorCode::kUnavailable,
          fmt::format("{} {}: the folder {} is not there", doing, path, folder)};
}

Result<void> WriteAll(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("writing", path, errno);
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<SecretBytes> ReadAll(const Fd& fd, const std::string& path, std::size_t limit) {
  SecretBytes content;
  SecretBytes page(std::size_t{64} << 10);
  for (;;) {
    const ssize_t n = read(fd.get(), page.data(), page.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("reading", path, errno);
    if (n == 0) return content;
    content.Append(page.view().first(static_cast<std::size_t>(n)));
    if (content.size() > limit) {
      return Error(ErrorCode::kLimit, fmt::format("{} is longer than {} bytes", path, limit));
    }
  }
}

// Without O_CREAT first: in a sticky folder the kernel may refuse O_CREAT on a file that another
// user made (fs.protected_regular).
Result<Fd> OpenLock(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd && errno == ENOENT) fd = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!fd) return ErrnoError("opening lock", path, errno);
  return fd;
}

bool IsStill(const std::string& path, const Fd& fd) {
  struct stat named{};
  struct stat held{};
  return stat(path.c_str(), &named) == 0 && fstat(fd.get(), &held) == 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Error ErrnoError(std::string_view doing, const std::string& path, int error) {
  ErrorCode code = ErrorCode::kUnavailable;
  if (error == ENOENT) code = ErrorCode::kNotFound;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = ErrorCode::kLimit;
  return {code, fmt::format("{} {}: {}", doing, path, std::generic_category().message(error))};
}

Result<SecretBytes> ReadFile(const std::string& path, std::size_t limit) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoError("opening", path, errno);
  return ReadAll(fd, path, limit);
}

Result<SecretBytes> ReadRegularFile(const std::string& path, std::size_t limit) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return ErrnoError("opening", path, errno);
  struct stat st{};
  if (fstat(fd.get(), &st) != 0) return ErrnoError("looking at", path, errno);
  if (!S_ISREG(st.st_mode))
    return Error(ErrorCode::kInvalid, fmt::format("{} is not a regular file", path));
  return ReadAll(fd, path, limit);
}

Result<void> WriteFile(const std::string& path, ByteView content, mode_t mode) {
  const std::string temporary = fmt::format("{}.tmp.{}", path, getpid());
  (void)unlink(temporary.c_str());  // a leftover of a dead process that had this pid
  const Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd && errno == ENOENT) return NoFolder("creating", path, FolderOf(path));
  if (!fd) return ErrnoError("creating", path, errno);
  auto written = WriteAll(fd.get(), content, temporary);
  if (written.ok() && fsync(fd.get()) != 0) written = ErrnoError("syncing", temporary, errno);
  if (written.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    written = ErrnoError("renaming to", path, errno);
  }
  if (!written.ok()) {
    (void)unlink(temporary.c_str());  // the error above is the one to tell
    return written;
  }
  return SyncFolder(FolderOf(path));
}

Result<void> MakeFolders(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return {};
  if (errno == EEXIST) {
    struct stat st{};
    if (stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return {};
    return Error(ErrorCode::kInvalid, fmt::format("{} exists and is not a folder", path));
  }
  if (errno != ENOENT) return ErrnoError("creating folder", path, errno);
  const std::string parent = FolderOf(path);
  if (parent == path || parent == ".") return NoFolder("creating folder", path, parent);
  HSM_RETURN_IF_ERROR(MakeFolders(parent, mode));
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  const Error error = ErrnoError("creating folder", path, errno);
  // The parent is there: a file system that takes no folders, as /proc.
  return Error(error.code() == ErrorCode::kNotFound ? ErrorCode::kUnavailable : error.code(),
               error.message());
}

Result<void> SyncFolder(const std::string& path) {
  const Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return ErrnoError("syncing folder", path, errno);
  return {};
}

Result<FileLock> FileLock::Take(const std::string& path, std::string_view self, Clock& clock,
                                TimePoint deadline) {
  HSM_TRY(Fd fd, OpenLock(path));
  for (;;) {
    if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      if (IsStill(path, fd)) break;
      HSM_TRY(fd, OpenLock(path));  // whoever had it has removed it, so it locks nobody out
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoError("locking", path, errno);
    if (clock.Now() >= deadline) {
      char holder[160] = {};
      const ssize_t n = pread(fd.get(), holder, sizeof holder - 1, 0);
      return Error(ErrorCode::kUnavailable,
                   fmt::format("in use: {} is held by {}", path,
                               n > 0 ? std::string_view(holder, static_cast<std::size_t>(n))
                                     : "another process"));
    }
    clock.SleepFor(kLockPoll);
  }
  const std::string note = fmt::format("{} (pid {})", self, getpid());
  if (ftruncate(fd.get(), 0) == 0) {
    (void)!pwrite(fd.get(), note.data(), note.size(), 0);  // only a courtesy to who waits
  }
  return FileLock(std::move(fd));
}

}  // namespace hsmops::base
