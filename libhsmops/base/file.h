// Files that a crash does not tear, and locks that a crash gives back.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"

namespace hsmops::base {

// Owns a file descriptor. Close-on-exec is up to who opens it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Close(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_ = -1;
};

// "/a" of "/a/b", "/" of "/a", "." of "a".
std::string FolderOf(const std::string& path);

// "opening <path>: No such file or directory", with kNotFound for ENOENT, kLimit for a full disk or
// quota, kUnavailable for the rest.
Error ErrnoError(std::string_view doing, const std::string& path, int error);

// The whole file. kNotFound: there is none. kLimit: longer than `limit` bytes.
Result<SecretBytes> ReadFile(const std::string& path, std::size_t limit);

// The same of a regular file, which cannot keep its reader waiting. kInvalid: it is a pipe, a
// device or a folder.
Result<SecretBytes> ReadRegularFile(const std::string& path, std::size_t limit);

// Replaces the file whole: a temporary beside it, fsync, rename, fsync of the folder. On an error
// the old content stands. kUnavailable, not kNotFound: its folder is not there.
Result<void> WriteFile(const std::string& path, ByteView content, mode_t mode);

// mkdir -p; new folders get `mode`.
Result<void> MakeFolders(const std::string& path, mode_t mode);

Result<void> SyncFolder(const std::string& path);

// An exclusive flock(2) that the kernel gives back when the process ends, however it ends.
class FileLock {
 public:
  // Waits until `clock` passes `deadline`. kUnavailable: somebody else holds it; the message names
  // the holder's pid and what it said of itself. kNotFound: its folder is not there, or not any
  // more. The file may be removed by who holds it.
  static Result<FileLock> Take(const std::string& path, std::string_view self, Clock& clock,
                               TimePoint deadline);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hsmops::base
