#include "libhsmops/cluster/directory_watch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "libhsmops/base/digest.h"
#include "libhsmops/base/encoding.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// A file that is being written says nothing until it is closed or renamed into place.
constexpr std::uint32_t kFileEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                      IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kFolderEvents =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::size_t kEventBufferBytes = 16 * 1024;

}  // namespace

std::string VersionOf(const std::map<ObjectKey, Object>& objects) {
  std::string text;
  for (const auto& [key, object] : objects)
    text += fmt::format("{}/{}/{}\n", key.ns, key.name, object.version());
  return base::Hex(base::Sha256(base::AsBytes(text))).substr(0, 32);
}

Result<std::unique_ptr<Watch>> DirectoryWatch::Open(DirectoryResourceStore& store, Kind kind,
                                                    std::string_view ns, std::string_view from) {
  base::Fd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify && (errno == EMFILE || errno == ENFILE)) {
    return Error(ErrorCode::kLimit,
                 "no more inotify instances for this user (fs.inotify.max_user_instances)");
  }
  if (!inotify) return base::ErrnoError("watching", store.dir_, errno);
  base::Fd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return base::ErrnoError("watching", store.dir_, errno);
  auto watch = std::unique_ptr<DirectoryWatch>(
      new DirectoryWatch(store, kind, ns, std::move(inotify), std::move(stop)));
  if (!from.empty()) {
    HSM_RETURN_IF_ERROR(watch->Arm());
    HSM_TRY(auto census, store.Count(kind, ns));
    watch->known_ = std::move(census.objects);
    watch->dirty_ = !census.problems.empty();
    if (VersionOf(watch->known_) != from)
      watch->pending_.push_back({ChangeType::kResync, std::nullopt});
  }
  return std::unique_ptr<Watch>(std::move(watch));
}

DirectoryWatch::DirectoryWatch(DirectoryResourceStore& store, Kind kind, std::string_view ns,
                               base::Fd inotify, base::Fd stop)
    : store_(store), kind_(kind), ns_(ns), inotify_(std::move(inotify)), stop_(std::move(stop)) {}

Result<void> DirectoryWatch::Arm() {
  const ResourceFolder& folder = store_.FolderOf(kind_);
  const std::array<std::string, 4> paths = {store_.dir_, store_.dir_ + "/status", folder.path(),
                                            folder.status_path()};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    armed_[i] =
        inotify_add_watch(inotify_.get(), paths[i].c_str(), i < 2 ? kFolderEvents : kFileEvents);
    if (armed_[i] >= 0 || errno == ENOENT || errno == ENOTDIR)
      continue;  // its parent tells when it comes
    if (errno == ENOSPC)
      return Error(ErrorCode::kLimit,
                   "no more inotify watches for this user (fs.inotify.max_user_watches)");
    return base::ErrnoError("watching", paths[i], errno);
  }
  if (armed_[0] >= 0) return {};
  return Error(ErrorCode::kUnavailable, fmt::format("{} is gone", store_.dir_));
}

bool DirectoryWatch::Drain() {
  alignas(inotify_event) std::array<char, kEventBufferBytes> buffer;
  bool relevant = false;
  for (;;) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return relevant;
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string_view name =
          event.len == 0 ? std::string_view() : std::string_view(buffer.data() + at + sizeof event);
      const bool about_folder =
          (event.mask & (IN_ISDIR | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW)) !=
          0;
      const bool in_file_folder = event.wd == armed_[2] || event.wd == armed_[3];
      if (about_folder || (in_file_folder && IsResourceFileName(name))) relevant = true;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

Result<void> DirectoryWatch::Look() {
  // Armed before looking: a change after the look is an event for the next one.
  HSM_RETURN_IF_ERROR(Arm());
  HSM_TRY(auto census, store_.Count(kind_, ns_));
  dirty_ = false;
  for (auto& [key, object] : census.objects) {
    const auto old = known_.find(key);
    if (old != known_.end() && old->second.version() == object.version()) continue;
    pending_.push_back({old == known_.end() ? ChangeType::kAdded : ChangeType::kModified, object});
  }
  if (!census.problems.empty()) {
    // What is not found may stand in the file that cannot be read: nothing is told as deleted.
    for (auto& [key, object] : census.objects) known_.insert_or_assign(key, std::move(object));
    problem_ = std::move(census.problems.front());
    return {};
  }
  for (auto& [key, object] : known_) {
    if (!census.objects.contains(key))
      pending_.push_back({ChangeType::kDeleted, std::move(object)});
  }
  known_ = std::move(census.objects);
  return {};
}

Result<void> DirectoryWatch::Wait(base::TimePoint deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - store_.clock_.Now()).count();
  std::array<pollfd, 2> fds = {pollfd{inotify_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
  if (poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR)
    return base::ErrnoError("watching", store_.dir_, errno);
  if ((fds[0].revents & POLLIN) != 0 && Drain()) dirty_ = true;
  return {};
}

Result<std::optional<Change>> DirectoryWatch::Next(base::TimePoint deadline) {
  for (bool looked = false;; looked = true) {
    if (!pending_.empty()) {
      std::optional<Change> change = std::move(pending_.front());
      pending_.pop_front();
      return change;
    }
    if (problem_) return *std::exchange(problem_, std::nullopt);
    if (looked && (stopped_ || store_.clock_.Now() >= deadline)) return std::optional<Change>();
    if (!dirty_) HSM_RETURN_IF_ERROR(Wait(deadline));
    if (dirty_) HSM_RETURN_IF_ERROR(Look());
  }
}

void DirectoryWatch::Stop() {
  stopped_ = true;
  const std::uint64_t one = 1;
  (void)!write(stop_.get(), &one, sizeof one);  // an eventfd takes it, or is already readable
}

}  // namespace hsmops::cluster
