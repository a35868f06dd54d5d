#include "libhsmops/cluster/directory_resource_store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/directory_watch.h"
#include "libhsmops/cluster/object_rules.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kMaxClusterIdBytes = 128;

// What may not be looked at is not "none".
Result<bool> IsFolder(const std::string& path) {
  struct stat st{};
  if (stat(path.c_str(), &st) == 0) return S_ISDIR(st.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return base::ErrnoError("opening", path, errno);
}

std::string Trimmed(base::ByteView bytes) {
  std::string text(bytes.begin(), bytes.end());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

// "" when there is none yet.
Result<std::string> ReadClusterId(const std::string& dir) {
  const auto bytes = base::ReadFile(dir + "/.cluster", kMaxClusterIdBytes);
  if (bytes.Is(ErrorCode::kNotFound)) return std::string();
  if (!bytes.ok()) return bytes.error();
  return Trimmed(bytes->view());
}

// The kernel's word for a path, links followed: a manifest that is a link stays one.
std::string Resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real ? std::string(real.get()) : path;
}

mode_t ModeOf(const std::string& path) {
  struct stat st{};
  return stat(path.c_str(), &st) == 0 ? st.st_mode & 0777 : kResourceFileMode;
}

// Replaces a file. An error after the rename leaves the new content, and no promise that it lasts.
Result<void> WriteWhole(const std::string& path, const std::string& text, mode_t mode) {
  if (text.size() > kMaxObjectBytes) {
    return Error(ErrorCode::kLimit, fmt::format("{} would be longer than {} bytes",
                                                base::Printable(path), kMaxObjectBytes));
  }
  auto written = base::WriteFile(path, base::AsBytes(text), mode);
  if (written.ok()) return written;
  const auto now = base::ReadFile(path, kMaxObjectBytes);
  if (now.ok() && base::Equal(now->view(), base::AsBytes(text)))
    return Error(ErrorCode::kInDoubt, written.error().message());
  if (written.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, written.error().message());
  return written;
}

Result<void> Unlink(const std::string& path) {
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return base::ErrnoError("removing", base::Printable(path), errno);
  }
  if (auto synced = base::SyncFolder(base::FolderOf(path)); !synced.ok())
    return Error(ErrorCode::kInDoubt, synced.error().message());
  return {};
}

Error NotThere(const ResourceFolder::Snapshot& snapshot, const ObjectKey& key) {
  if (snapshot.broken.empty()) return NoSuchObject(key);
  // It may be in the file that cannot be read.
  return Error(ErrorCode::kCorrupt, snapshot.broken.front().message())
      .Within("looking for " + Describe(key));
}

}  // namespace

Result<void> DirectoryResourceStore::Init(const std::string& dir, base::Rng& rng) {
  for (const Kind kind : kAllKinds) {
    HSM_RETURN_IF_ERROR(
        base::MakeFolders(fmt::format("{}/{}", dir, Plural(kind)), kResourceFolderMode));
    if (HasStatus(kind))
      HSM_RETURN_IF_ERROR(
          base::MakeFolders(fmt::format("{}/status/{}", dir, Plural(kind)), kResourceFolderMode));
  }
  base::SystemClock clock;
  HSM_TRY(const base::FileLock lock,
          base::FileLock::Take(dir + "/.lock", "init", clock, clock.Now() + kFolderLockWait));
  HSM_TRY(const std::string id, ReadClusterId(dir));
  if (!id.empty()) return {};
  return WriteWhole(dir + "/.cluster", base::Uuid(rng) + "\n", kResourceFileMode);
}

Result<std::unique_ptr<DirectoryResourceStore>> DirectoryResourceStore::Open(const std::string& dir,
                                                                             base::Clock& clock,
                                                                             base::Rng& rng) {
  const std::string devices = fmt::format("{}/{}", dir, Plural(Kind::kHsmDevice));
  HSM_TRY(const bool there, IsFolder(devices));
  if (!there) {
    const std::string shown = base::Printable(dir);
    return Error(ErrorCode::kNotFound, fmt::format("{} is not a cluster folder (it has no {}/); "
                                                   "make one with kubectl hsm init --nodes A,B,C",
                                                   shown, Plural(Kind::kHsmDevice)));
  }
  HSM_TRY(std::string id, ReadClusterId(dir));
  if (id.empty() && access(dir.c_str(), W_OK) == 0) {  // a folder that a hand made
    HSM_RETURN_IF_ERROR(Init(dir, rng));
    HSM_TRY(id, ReadClusterId(dir));
  }
  return std::unique_ptr<DirectoryResourceStore>(
      new DirectoryResourceStore(dir, std::move(id), clock, rng));
}

DirectoryResourceStore::DirectoryResourceStore(std::string dir, std::string cluster_id,
                                               base::Clock& clock, base::Rng& rng)
    : dir_(std::move(dir)), clock_(clock), rng_(rng) {
  for (const Kind kind : kAllKinds)
    folders_[kind] = std::make_unique<ResourceFolder>(dir_, cluster_id, kind, clock_);
}

// Readers take it, too: on some file systems a listing that runs while a file is renamed over
// another misses both, and what is there would be read as absent.
Result<std::optional<base::FileLock>> DirectoryResourceStore::TakeLock(bool to_write) {
  const std::string path = dir_ + "/.lock";
  if (!to_write && access(dir_.c_str(), W_OK) != 0 && access(path.c_str(), W_OK) != 0)
    return std::optional<base::FileLock>();
  auto lock = base::FileLock::Take(path, "kubectl-hsm", clock_, clock_.Now() + kFolderLockWait);
  if (lock.ok()) return std::optional<base::FileLock>(*std::move(lock));
  if (lock.Is(ErrorCode::kNotFound)) return Error(ErrorCode::kUnavailable, lock.error().message());
  return lock.error();
}

Result<Object> DirectoryResourceStore::Current(ResourceFolder& folder,
                                               const ResourceFolder::Snapshot& snapshot,
                                               const ObjectKey& key,
                                               std::optional<std::string_view> expected,
                                               ResourceFolder::Located* located) {
  if (const auto doubled = snapshot.doubled.find(key); doubled != snapshot.doubled.end())
    return doubled->second;
  const auto found = snapshot.objects.find(key);
  if (found == snapshot.objects.end()) return NotThere(snapshot, key);
  HSM_TRY(Object object, folder.Joined(found->second));
  if (expected && object.version() != *expected) return Moved(key, *expected, object.version());
  *located = found->second;
  return object;
}

Result<Object> DirectoryResourceStore::Get(Kind kind, std::string_view ns, std::string_view name) {
  const ObjectKey key{kind, std::string(ns), std::string(name)};
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(false));
  ResourceFolder& folder = FolderOf(kind);
  HSM_TRY(const auto snapshot, folder.Scan());
  ResourceFolder::Located located;
  return Current(folder, snapshot, key, std::nullopt, &located);
}

Result<DirectoryResourceStore::Census> DirectoryResourceStore::Count(Kind kind,
                                                                     std::string_view ns) {
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(false));
  ResourceFolder& folder = FolderOf(kind);
  HSM_TRY(auto snapshot, folder.Scan());
  Census census;
  census.problems = std::move(snapshot.broken);
  for (auto& [key, error] : snapshot.doubled) census.problems.push_back(std::move(error));
  for (const auto& [key, located] : snapshot.objects) {
    if (!ns.empty() && key.ns != ns) continue;
    auto object = folder.Joined(located);
    if (object.ok()) {
      census.objects.emplace(key, *std::move(object));
    } else {
      census.problems.push_back(object.error());
    }
  }
  return census;
}

Result<ObjectList> DirectoryResourceStore::List(Kind kind, std::string_view ns) {
  HSM_TRY(Census census, Count(kind, ns));
  if (!census.problems.empty())
    return census.problems.front().Within(fmt::format("listing {}", Plural(kind)));
  ObjectList list;
  list.version = VersionOf(census.objects);
  for (auto& [key, object] : census.objects) list.items.push_back(std::move(object));
  return list;
}

Result<Object> DirectoryResourceStore::Create(const Object& object) {
  const ObjectKey& key = object.key();
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(true));
  ResourceFolder& folder = FolderOf(key.kind);
  HSM_TRY(const auto snapshot, folder.Scan());
  if (snapshot.objects.contains(key) || snapshot.doubled.contains(key)) return AlreadyExists(key);
  if (!snapshot.broken.empty()) return NotThere(snapshot, key);
  if (snapshot.objects.size() >= kMaxObjectsPerKind) {
    return Error(ErrorCode::kLimit,
                 fmt::format("there are {} of {} already", kMaxObjectsPerKind, Plural(key.kind)));
  }
  const std::string path = fmt::format("{}/{}", folder.path(), FileNameOf(key));
  if (access(path.c_str(), F_OK) == 0) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} is in the way: it is there, but it does not define {}",
                             base::Printable(path), Describe(key)));
  }
  const nlohmann::json document = Created(object, base::Uuid(rng_), clock_.Wall());
  HSM_TRY(const std::string text, EmitYaml(ResourceFolder::ForManifest(document, {})));
  HSM_RETURN_IF_ERROR(base::MakeFolders(folder.path(), kResourceFolderMode));
  if (HasStatus(key.kind))
    HSM_RETURN_IF_ERROR(Unlink(folder.StatusPathOf(key)));  // of one that is gone
  HSM_RETURN_IF_ERROR(WriteWhole(path, text, kResourceFileMode));
  HSM_TRY(const auto after, folder.Scan());
  ResourceFolder::Located located;
  return Current(folder, after, key, std::nullopt, &located);
}

Result<Object> DirectoryResourceStore::Update(const Object& object, std::string_view expected) {
  HSM_RETURN_IF_ERROR(CheckUpdate(object, expected, false));
  const ObjectKey& key = object.key();
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(true));
  ResourceFolder& folder = FolderOf(key.kind);
  HSM_TRY(const auto snapshot, folder.Scan());
  ResourceFolder::Located located;
  HSM_TRY(const Object current, Current(folder, snapshot, key, expected, &located));
  const auto stored = ResourceFolder::ForManifest(Updated(current.document(), object),
                                                  located.Entry().object.document());
  HSM_TRY(const std::string text, located.manifest->Replaced(located.Entry(), stored));
  HSM_RETURN_IF_ERROR(WriteWhole(Resolved(located.path), text, ModeOf(located.path)));
  HSM_TRY(const auto after, folder.Scan());
  return Current(folder, after, key, std::nullopt, &located);
}

Result<Object> DirectoryResourceStore::UpdateStatus(const Object& object,
                                                    std::string_view expected) {
  HSM_RETURN_IF_ERROR(CheckUpdate(object, expected, true));
  const ObjectKey& key = object.key();
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(true));
  ResourceFolder& folder = FolderOf(key.kind);
  HSM_TRY(const auto snapshot, folder.Scan());
  ResourceFolder::Located located;
  HSM_TRY(const Object current, Current(folder, snapshot, key, expected, &located));
  HSM_TRY(const std::string text,
          folder.ForStatusFile(key, WithStatus(current.document(), object), clock_.Wall()));
  HSM_RETURN_IF_ERROR(base::MakeFolders(folder.status_path(), kResourceFolderMode));
  HSM_RETURN_IF_ERROR(WriteWhole(folder.StatusPathOf(key), text, kResourceFileMode));
  return folder.Joined(located);
}

Result<void> DirectoryResourceStore::RemoveEntry(const ResourceFolder::Located& located) {
  HSM_TRY(const std::string text, located.manifest->Without(located.Entry()));
  if (text.empty()) return Unlink(located.path);
  return WriteWhole(Resolved(located.path), text, ModeOf(located.path));
}

Result<void> DirectoryResourceStore::Delete(Kind kind, std::string_view ns, std::string_view name,
                                            std::optional<std::string_view> expected) {
  const ObjectKey key{kind, std::string(ns), std::string(name)};
  const std::lock_guard guard(mutex_);
  HSM_TRY([[maybe_unused]] const auto lock, TakeLock(true));
  ResourceFolder& folder = FolderOf(kind);
  HSM_TRY(const auto snapshot, folder.Scan());
  ResourceFolder::Located located;
  HSM_TRY(const Object current, Current(folder, snapshot, key, expected, &located));
  HSM_RETURN_IF_ERROR(RemoveEntry(located));
  // A crash here leaves a status without an object; Create removes it.
  if (HasStatus(kind))
    (void)Unlink(folder.StatusPathOf(key));  // the object is gone, which was asked for
  return {};
}

Result<std::unique_ptr<Watch>> DirectoryResourceStore::OpenWatch(Kind kind, std::string_view ns,
                                                                 std::string_view from) {
  return DirectoryWatch::Open(*this, kind, ns, from);
}

}  // namespace hsmops::cluster
