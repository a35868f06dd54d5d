#include "libhsmops/token/softhsm_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <p11-kit/pkcs11.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <sstream>

#include "libhsmops/base/wire.h"

namespace hsmops::token {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kMaxConfBytes = 64 * 1024;
constexpr std::size_t kMaxObjectFileBytes = 4 << 20;
constexpr std::size_t kFsyncEach = 16;  // beyond this many files one syncfs costs less
constexpr std::chrono::milliseconds kLockPoll{10};
constexpr std::time_t kGhostAge = 60;
constexpr std::uint64_t kVendorBase =
    0x80005348;  // SoftHSM's own attributes of token.object lie just above

struct Patience {
  base::Clock& clock;
  base::TimePoint deadline;
};

std::string ConfPath(const std::string& given) {
  if (!given.empty()) return given;
  if (const char* env = std::getenv("SOFTHSM2_CONF")) return env;
  if (const char* home = std::getenv("HOME")) {
    std::string user = std::string(home) + "/.config/softhsm2/softhsm2.conf";
    if (access(user.c_str(), R_OK) == 0) return user;
  }
  return "/etc/softhsm/softhsm2.conf";
}

// The tokendir; empty when the configuration cannot be read or names another backend.
std::string TokenFolder(const std::string& conf) {
  const auto content = base::ReadFile(ConfPath(conf), kMaxConfBytes);
  if (!content.ok()) return {};
  std::istringstream lines(std::string(content->view().begin(), content->view().end()));
  std::string folder;
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.find('#'), line.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const auto trim = [](std::string text) {
      text.erase(0, std::min(text.find_first_not_of(" \t\r"), text.size()));
      text.erase(text.find_last_not_of(" \t\r") + 1);
      return text;
    };
    const std::string key = trim(line.substr(0, equals));
    const std::string value = trim(line.substr(equals + 1));
    if (key == "directories.tokendir") folder = value;
    if (key == "objectstore.backend" && value != "file") return {};
  }
  return folder;
}

std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

// Which attributes a file holds; `whole` when it ends where an attribute does.
struct Contents {
  bool whole = false;
  bool token = false;     // SoftHSM's attributes of a token
  std::size_t label = 0;  // bytes of each, as stored (encrypted, so never 0 when there is one)
  std::size_t application = 0;
  bool value = false;  // CKA_VALUE is there
  std::optional<std::uint64_t> object_class;
  std::size_t value_bytes = 0;
};

Contents Parse(base::ByteView bytes) {
  Contents found;
  base::Reader in(bytes);
  (void)in.U64();  // the generation
  while (in.ok() && in.left() > 0) {
    const std::uint64_t type = in.U64();
    std::size_t size = 0;
    std::optional<std::uint64_t> number;
    switch (in.U64()) {
      case 1:
        (void)in.U8();
        break;
      case 2:
        number = in.U64();
        break;
      case 3:
      case 4: {
        const std::uint64_t length = in.U64();
        size = static_cast<std::size_t>(std::min<std::uint64_t>(length, kMaxObjectFileBytes + 1));
        (void)in.Raw(size);
        break;
      }
      default:
        in.Fail();
    }
    if (!in.ok()) return found;
    if (type == CKA_CLASS) found.object_class = number;
    if (type == CKA_LABEL) found.label = size;
    if (type == CKA_APPLICATION) found.application = size;
    if (type == CKA_VALUE) {
      found.value = true;
      found.value_bytes = size;
    }
    if (type > kVendorBase && type < kVendorBase + 16) found.token = true;
  }
  found.whole = in.ok() && bytes.size() >= 8;
  return found;
}

struct flock WholeFile(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// An fcntl lock as SoftHSM takes it on its files; ends with the descriptor. False: somebody else
// has one.
bool TryLock(int fd, short type) {
  struct flock lock = WholeFile(type);
  return fcntl(fd, F_SETLK, &lock) == 0;
}

// The same, waited for until the deadline: F_SETLKW has none.
Result<void> LockFile(int fd, short type, const std::string& path, const Patience& patience) {
  while (!TryLock(fd, type)) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      return base::ErrnoError("locking", path, errno);
    if (patience.clock.Now() >= patience.deadline) {
      struct flock holder = WholeFile(type);
      const bool known = fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} is locked by {}", path,
                               known ? fmt::format("pid {}", holder.l_pid) : "another process"));
    }
    patience.clock.SleepFor(kLockPoll);
  }
  return {};
}

Result<base::SecretBytes> ReadAll(int fd, const std::string& path) {
  base::SecretBytes content(kMaxObjectFileBytes < 8192 ? kMaxObjectFileBytes : 8192);
  std::size_t size = 0;
  for (;;) {
    const ssize_t n =
        pread(fd, content.data() + size, content.size() - size, static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::ErrnoError("reading", path, errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
    if (size == content.size()) {
      if (size > kMaxObjectFileBytes)
        return Error(ErrorCode::kLimit, path + " is too long for an object file");
      content.resize(size * 2);
    }
  }
  content.resize(size);
  return content;
}

constexpr std::string_view kCopyName = "/token.khsm-copy";

Result<bool> RestoreOne(const std::string& folder, const Patience& patience) {
  const std::string path = folder + "/token.object";
  const std::string copy_path = folder + std::string(kCopyName);
  if (access(copy_path.c_str(), F_OK) != 0) return false;
  const base::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::ErrnoError("opening", path, errno);
  HSM_RETURN_IF_ERROR(LockFile(fd.get(), F_WRLCK, path, patience));
  HSM_TRY(const base::SecretBytes now, ReadAll(fd.get(), path));
  const Contents contents = Parse(now.view());
  if (contents.whole && contents.token) return false;
  HSM_TRY(const base::SecretBytes copy, base::ReadFile(copy_path, kMaxObjectFileBytes));
  const Contents saved = Parse(copy.view());
  if (!saved.whole || !saved.token)
    return Error(ErrorCode::kCorrupt, copy_path + " is not a token.object");
  if (pwrite(fd.get(), copy.data(), copy.size(), 0) != static_cast<ssize_t>(copy.size()) ||
      ftruncate(fd.get(), static_cast<off_t>(copy.size())) != 0 || fsync(fd.get()) != 0) {
    return base::ErrnoError("restoring", path, errno);
  }
  return true;
}

}  // namespace

std::optional<SoftHsmFiles> SoftHsmFiles::Find(const std::string& conf, const std::string& serial) {
  const std::string parent = TokenFolder(conf);
  if (parent.empty() || serial.size() != 16) return std::nullopt;
  // SoftHSM takes the serial from the last 16 digits of the folder's UUID.
  const std::string ending = fmt::format("-{}-{}", serial.substr(0, 4), serial.substr(4));
  for (const std::string& name : Names(parent)) {
    if (!name.ends_with(ending)) continue;
    const std::string folder = parent + "/" + name;
    base::Fd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    base::Fd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd || !inotify ||
        inotify_add_watch(inotify.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
      return std::nullopt;
    }
    return SoftHsmFiles(folder, std::move(fd), std::move(inotify));
  }
  return std::nullopt;
}

Result<int> SoftHsmFiles::RestoreTornTokens(const std::string& conf, base::Clock& clock,
                                            base::TimePoint deadline) {
  int restored = 0;
  const std::string parent = TokenFolder(conf);
  if (parent.empty()) return restored;
  for (const std::string& name : Names(parent)) {
    HSM_TRY(const bool one, RestoreOne(parent + "/" + name, {clock, deadline}));
    if (one) ++restored;
  }
  return restored;
}

Result<void> SoftHsmFiles::SaveTokenObject(base::Clock& clock, base::TimePoint deadline) const {
  const std::string path = folder_ + "/token.object";
  const std::string copy_path = folder_ + std::string(kCopyName);
  const base::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::ErrnoError("opening", path, errno);
  HSM_RETURN_IF_ERROR(LockFile(fd.get(), F_RDLCK, path, {clock, deadline}));
  HSM_TRY(const base::SecretBytes now, ReadAll(fd.get(), path));
  const Contents contents = Parse(now.view());
  if (!contents.whole || !contents.token)
    return Error(ErrorCode::kCorrupt, path + " does not parse");
  const auto copy = base::ReadFile(copy_path, kMaxObjectFileBytes);
  if (copy.ok() && *copy == now) return {};
  return base::WriteFile(copy_path, now.view(), 0600);
}

// Drained now and then, since the kernel's queue holds 16,384 events and every create makes two.
void SoftHsmFiles::CountCreate() {
  if (++creates_ % 512 == 0) (void)Drain();  // Barrier drains again and tells the error
}

void SoftHsmFiles::Forget() {
  (void)Drain();  // what it says of the past does not matter any more
  unsynced_ = unsynced_ || creates_ > 0 || !pending_.empty();
  pending_.clear();
  creates_ = 0;
  overflowed_ = false;
}

Result<void> SoftHsmFiles::Drain() {
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    const ssize_t n = read(inotify_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return {};
    if (n <= 0) return base::ErrnoError("reading inotify of", folder_, errno);
    for (const char* at = buffer; at < buffer + n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) overflowed_ = true;
      if (event->len == 0) continue;
      const std::string_view name(event->name);
      if (name.ends_with(".object") && name != "token.object") pending_.emplace(name);
    }
  }
}

Result<void> SoftHsmFiles::Barrier(std::uint64_t min_free_bytes) {
  HSM_RETURN_IF_ERROR(Drain());
  if (creates_ == 0 && !unsynced_) return {};
  HSM_TRY(const std::uint64_t room, FreeBytes());
  std::uint64_t whole = 0;
  const bool each = pending_.size() <= kFsyncEach && !unsynced_;
  unsynced_ = true;
  for (const std::string& name : pending_) {
    const std::string path = folder_ + "/" + name;
    const base::Fd fd(openat(folder_fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) {  // created and destroyed since
      ++whole;
      continue;
    }
    if (!fd) return base::ErrnoError("opening", path, errno);
    HSM_TRY(const base::SecretBytes content, ReadAll(fd.get(), path));
    const Contents contents = Parse(content.view());
    if (contents.whole && contents.value) ++whole;
    if (each && fsync(fd.get()) != 0) return base::ErrnoError("syncing", path, errno);
  }
  if (!each && syncfs(folder_fd_.get()) != 0) return base::ErrnoError("syncing", folder_, errno);
  if (fsync(folder_fd_.get()) != 0) return base::ErrnoError("syncing folder", folder_, errno);
  unsynced_ = false;
  if (room < min_free_bytes) return TooFull(room, min_free_bytes);
  if (whole < creates_ || overflowed_) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} of {} new object files are whole", whole, creates_));
  }
  pending_.clear();
  creates_ = 0;
  return {};
}

Result<void> SoftHsmFiles::SyncAll() {
  if (syncfs(folder_fd_.get()) != 0) return base::ErrnoError("syncing", folder_, errno);
  return {};
}

Result<std::uint64_t> SoftHsmFiles::FreeBytes() const {
  struct statvfs stat{};
  if (fstatvfs(folder_fd_.get(), &stat) != 0)
    return base::ErrnoError("asking the disk of", folder_, errno);
  return static_cast<std::uint64_t>(stat.f_bavail) * stat.f_frsize;
}

Error SoftHsmFiles::TooFull(std::uint64_t room, std::uint64_t min_free_bytes) const {
  return {ErrorCode::kLimit, fmt::format("{} bytes left on the disk of {}, {} are kept free", room,
                                         folder_, min_free_bytes)};
}

Result<void> SoftHsmFiles::CheckRoom(std::uint64_t min_free_bytes) const {
  HSM_TRY(const std::uint64_t room, FreeBytes());
  if (room < min_free_bytes) return TooFull(room, min_free_bytes);
  return {};
}

Result<void> SoftHsmFiles::Present() const {
  struct stat ours{};
  struct stat there{};
  if (fstat(folder_fd_.get(), &ours) != 0) return base::ErrnoError("looking at", folder_, errno);
  if (stat((folder_ + "/token.object").c_str(), &there) != 0 ||
      stat(folder_.c_str(), &there) != 0 || there.st_ino != ours.st_ino ||
      there.st_dev != ours.st_dev) {
    return Error(ErrorCode::kUnavailable, fmt::format("the token's folder {} went away", folder_));
  }
  return {};
}

// An object file that nobody can have meant: data without label, application and value.
Result<bool> SoftHsmFiles::IsGhost(const std::string& name, int fd) const {
  HSM_TRY(const base::SecretBytes content, ReadAll(fd, name));
  const Contents contents = Parse(content.view());
  return contents.label + contents.application + contents.value_bytes == 0 &&
         contents.object_class.value_or(CKO_DATA) == CKO_DATA;
}

Result<std::vector<std::string>> SoftHsmFiles::Ghosts() const {
  constexpr off_t kLargestGhost =
      512;  // the default attributes of a data object without its three values
  std::vector<std::string> ghosts;
  for (std::string& name : Names(folder_)) {
    if (!name.ends_with(".object") || name == "token.object") continue;
    struct stat st{};
    if (fstatat(folder_fd_.get(), name.c_str(), &st, 0) != 0) continue;
    if (st.st_size > kLargestGhost || st.st_mtime > std::time(nullptr) - kGhostAge) continue;
    const base::Fd fd(openat(folder_fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) continue;
    HSM_TRY(const bool is_ghost, IsGhost(name, fd.get()));
    if (is_ghost) ghosts.push_back(std::move(name));
  }
  return ghosts;
}

Result<std::uint64_t> SoftHsmFiles::CollectGhosts(const std::vector<std::string>& ghosts) const {
  std::uint64_t removed = 0;
  for (const std::string& name : ghosts) {
    const base::Fd fd(openat(folder_fd_.get(), name.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd || !TryLock(fd.get(), F_WRLCK)) continue;
    HSM_TRY(const bool still, IsGhost(name, fd.get()));
    if (!still || unlinkat(folder_fd_.get(), name.c_str(), 0) != 0) continue;
    const std::string lock = name.substr(0, name.size() - 7) + ".lock";
    (void)unlinkat(folder_fd_.get(), lock.c_str(), 0);  // the object is gone either way
    ++removed;
  }
  return removed;
}

}  // namespace hsmops::token
