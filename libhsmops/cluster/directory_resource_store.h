// DirectoryResourceStore: a cluster's state in a folder, without Kubernetes.
//
//   DIR/hsmdevices/ hsmsecrets/ hsmoperations/ leases/ events/   the very YAML one would apply
//   DIR/status/<plural>/<namespace>.<name>.yaml                  what this program found out
//   DIR/.cluster                                                 the folder's own id
//   DIR/.lock                                                    held for the time of one operation
//
// Every operation is one critical section under an exclusive flock(2), so any number of threads and
// processes may share a folder. Files are replaced whole (fsync, rename, fsync): a kill leaves the
// old state or the new one. A file that an editor has torn is kCorrupt with line and column, and is
// never read as absent: what it does not hold is still found, what is not found is kCorrupt, too,
// as long as it stands there. An object in two files is kInvalid and names both.
//
// A user's file is changed only when somebody changes the spec or the metadata through the store;
// then only that document is rewritten. The version is a digest over manifest and status, so an
// edit by hand counts; every write through the store carries a counter, so none comes back. The
// generation of a hand-edited spec is one above that which the status recorded.
//
// Thread-safe. Does not defend against who may write to the folder.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/resource_folder.h"
#include "libhsmops/cluster/resource_store.h"

namespace hsmops::cluster {

inline constexpr mode_t kResourceFileMode = 0640;
inline constexpr mode_t kResourceFolderMode = 0750;
inline constexpr std::chrono::seconds kFolderLockWait{10};

class DirectoryResourceStore : public ResourceStore {
 public:
  // Makes `dir` a cluster folder; one that is already stays as it is.
  static base::Result<void> Init(const std::string& dir, base::Rng& rng);
  // `clock` and `rng` must outlive the store and be safe to use from its threads. kNotFound: `dir`
  // is no cluster folder; the message says how to make one.
  static base::Result<std::unique_ptr<DirectoryResourceStore>> Open(const std::string& dir,
                                                                    base::Clock& clock,
                                                                    base::Rng& rng);

  base::Result<Object> Get(Kind kind, std::string_view ns, std::string_view name) override;
  base::Result<ObjectList> List(Kind kind, std::string_view ns) override;
  base::Result<Object> Create(const Object& object) override;
  base::Result<Object> Update(const Object& object, std::string_view expected) override;
  base::Result<Object> UpdateStatus(const Object& object, std::string_view expected) override;
  base::Result<void> Delete(Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override;
  // Needs no polling: inotify(7) tells. kLimit: the system has no more watches to give.
  base::Result<std::unique_ptr<Watch>> OpenWatch(Kind kind, std::string_view ns,
                                                 std::string_view from) override;

 private:
  friend class DirectoryWatch;
  // The whole of a kind that can be read, and what could not be.
  struct Census {
    std::map<ObjectKey, Object> objects;
    std::vector<base::Error> problems;
  };

  DirectoryResourceStore(std::string dir, std::string cluster_id, base::Clock& clock,
                         base::Rng& rng);

  // The lock is absent in a folder that this process may only read.
  base::Result<std::optional<base::FileLock>> TakeLock(bool to_write);
  base::Result<Census> Count(Kind kind, std::string_view ns);
  ResourceFolder& FolderOf(Kind kind) { return *folders_.at(kind); }
  // The object with `expected` as its version, under the lock.
  base::Result<Object> Current(ResourceFolder& folder, const ResourceFolder::Snapshot& snapshot,
                               const ObjectKey& key, std::optional<std::string_view> expected,
                               ResourceFolder::Located* located);
  base::Result<void> RemoveEntry(const ResourceFolder::Located& located);

  const std::string dir_;
  base::Clock& clock_;
  base::Rng& rng_;
  std::mutex mutex_;  // before the file lock, whose waiters poll
  std::map<Kind, std::unique_ptr<ResourceFolder>> folders_;
};

}  // namespace hsmops::cluster
