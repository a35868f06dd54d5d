// DirectoryWatch: tells what changed in a folder of manifests, by inotify(7) and a comparison.
//
// Internal to cluster/. The events of the kernel only say "look again"; what is told comes from the
// difference between two looks, so nothing is lost when its queue overflows, when a folder is
// replaced, or when an editor renames files over each other.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libhsmops/base/file.h"
#include "libhsmops/cluster/directory_resource_store.h"

namespace hsmops::cluster {

// The version of a list: the same exactly when the same objects have the same versions.
std::string VersionOf(const std::map<ObjectKey, Object>& objects);

class DirectoryWatch : public Watch {
 public:
  static base::Result<std::unique_ptr<Watch>> Open(DirectoryResourceStore& store, Kind kind,
                                                   std::string_view ns, std::string_view from);

  base::Result<std::optional<Change>> Next(base::TimePoint deadline) override;
  void Stop() override;

 private:
  DirectoryWatch(DirectoryResourceStore& store, Kind kind, std::string_view ns, base::Fd inotify,
                 base::Fd stop);

  base::Result<void> Arm();   // (again) a watch on every folder that matters and exists
  bool Drain();               // takes the kernel's events; was one of them about a resource?
  base::Result<void> Look();  // compares and queues the changes, and problem_ behind them
  base::Result<void> Wait(base::TimePoint deadline);

  DirectoryResourceStore& store_;
  const Kind kind_;
  const std::string ns_;
  base::Fd inotify_;
  base::Fd stop_;
  std::atomic<bool> stopped_{false};
  bool dirty_ = true;
  std::array<int, 4> armed_{-1, -1, -1,
                            -1};  // watch descriptors; the last two are of folders of files
  std::map<ObjectKey, Object> known_;
  std::deque<Change> pending_;
  std::optional<base::Error> problem_;  // what the last look could not read; told once
};

}  // namespace hsmops::cluster
