// ResourceFolder: one folder of manifests (`hsmdevices/`, …) and the status files that go with it.
//
// Internal to cluster/. Not thread-safe, takes no lock: DirectoryResourceStore does both.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "libhsmops/cluster/known_files.h"
#include "libhsmops/cluster/manifest.h"

namespace hsmops::cluster {

// A file without a name that is too long for a file system: "<namespace>.<name>.yaml", or with the
// name cut and a digest of it after '_', which no name holds.
std::string FileNameOf(const ObjectKey& key);

// What is kept beside an object's manifest: its status, and what the user's file does not say.
struct StatusFile {
  std::string uid;
  std::string creation_timestamp;
  std::int64_t generation = 0;
  std::string spec_digest;   // of the spec that `generation` counts
  std::uint64_t writes = 0;  // one more with every write, so that no version ever comes back
  std::shared_ptr<const nlohmann::json> status;
  std::string text;  // the whole file
};

class ResourceFolder {
 public:
  // Where an object was found.
  struct Located {
    std::string path;
    std::shared_ptr<const Manifest> manifest;
    std::size_t entry = 0;
    const Manifest::Entry& Entry() const { return manifest->entries()[entry]; }
  };
  struct Snapshot {
    std::map<ObjectKey, Located> objects;
    std::map<ObjectKey, base::Error> doubled;  // defined by two files; named here, not in objects
    std::vector<base::Error> broken;           // files that cannot be read or parsed
  };

  // `root` is the cluster's folder, `cluster_id` what uids of hand-written objects are derived
  // from. `clock` must outlive it.
  ResourceFolder(std::string root, std::string cluster_id, Kind kind, const base::Clock& clock);

  const std::string& path() const { return path_; }
  const std::string& status_path() const { return status_path_; }

  // Everything in the folder; one that does not exist is empty. kUnavailable: it cannot be listed.
  // kLimit: more than kMaxObjectsPerKind.
  base::Result<Snapshot> Scan();

  // The object as a caller sees it: manifest, status and version joined. kCorrupt: its status file.
  base::Result<Object> Joined(const Located& located);

  // `document`, an object as callers see it, made fit for its manifest; `writes` counts up.
  static nlohmann::json ForManifest(const nlohmann::json& document, const nlohmann::json& previous);
  // The status file that goes with `document`.
  base::Result<std::string> ForStatusFile(const ObjectKey& key, const nlohmann::json& document,
                                          base::WallTime now);
  std::string StatusPathOf(const ObjectKey& key) const;

 private:
  base::Result<std::vector<std::string>> FileNames() const;
  base::Result<std::shared_ptr<const Manifest>> ReadManifest(const std::string& path);
  // Null: there is none.
  base::Result<std::shared_ptr<const StatusFile>> ReadStatus(const ObjectKey& key);

  const std::string root_;
  const std::string cluster_id_;
  const Kind kind_;
  const std::string path_;
  const std::string status_path_;
  KnownFiles<Manifest> manifests_;
  KnownFiles<StatusFile> statuses_;
};

// Is it a file of resources by its name? Temporary and hidden files are not.
bool IsResourceFileName(std::string_view name);

}  // namespace hsmops::cluster
