// WatchedKind: the objects of one kind as a watch tells of them, so that who looks often asks the
// store for nothing.
//
// What is known may be a moment old: who changes something by it goes by compare-and-swap.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libhsmops/cluster/resource_store.h"

namespace hsmops::cluster {

class WatchedKind {
 public:
  using Name = std::pair<std::string, std::string>;  // namespace and name
  // Told of each object that came, changed or went, by the thread that watches; may be empty.
  using Changed = std::function<void(const Name& name)>;

  // Watches from now on, until it is destroyed. `ns` empty: all. Both references must outlive it.
  WatchedKind(ResourceStore& store, base::Clock& clock, Kind kind, std::string ns,
              Changed changed = {});
  ~WatchedKind();
  WatchedKind(const WatchedKind&) = delete;
  WatchedKind& operator=(const WatchedKind&) = delete;

  // The error of the last try, while nothing was ever listed or the watch cannot be taken up again:
  // then what is known says nothing of now.
  base::Result<std::vector<Object>> List() const;
  // nullopt: there is none. Errors as List's.
  base::Result<std::optional<Object>> Find(const std::string& ns, const std::string& name) const;
  // Whether List would answer, or why not.
  base::Result<void> Known() const;
  // Waits until it would, or until `deadline`.
  base::Result<void> WaitKnown(base::TimePoint deadline) const;

 private:
  void Run(const std::stop_token& stop);
  void Follow(Watch& watch, const std::stop_token& stop);
  base::Result<std::shared_ptr<Watch>> Begin();
  void Replace(ObjectList list);
  void Take(const Change& change);
  void Pause(const base::Error& error, const std::stop_token& stop);

  ResourceStore& store_;
  base::Clock& clock_;
  const Kind kind_;
  const std::string ns_;
  const Changed changed_;
  mutable std::mutex mutex_;
  std::map<Name, Object> objects_;
  std::optional<base::Error> error_;  // unset: what is known is so
  std::shared_ptr<Watch> watch_;
  base::Duration pause_{};  // the last one; of the thread alone
  std::jthread thread_;     // last: it uses the others
};

}  // namespace hsmops::cluster
