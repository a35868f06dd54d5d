// WatchingStore: a ResourceStore whose reads of some kinds are answered from watches, so that a
// manager with nothing to do asks the API server nothing but what it renews.
//
// Who reads may read what was so a moment ago, as from any replica of a store; writes are
// compare-and-swap, and go through. What was written here, or was refused for having moved, is read
// from the store itself until the watch has told of it. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "libhsmops/cluster/watched_kind.h"

namespace hsmops::cluster {

class WatchingStore : public ResourceStore {
 public:
  // What an object of a kind is shown as. It may change spec and, to tell that it did, append to
  // metadata.resourceVersion what follows kShownMark; nothing of that is written.
  using Shown = std::function<Object(const Object&)>;
  static constexpr char kShownMark = '~';

  // Watches these kinds in `ns` from now on; other namespaces are asked for. All must outlive it.
  WatchingStore(ResourceStore& store, base::Clock& clock, std::string ns,
                const std::vector<Kind>& kinds, Shown shown = {});

  base::Result<Object> Get(Kind kind, std::string_view ns, std::string_view name) override;
  base::Result<Object> GetLatest(Kind kind, std::string_view ns, std::string_view name) override;
  base::Result<ObjectList> List(Kind kind, std::string_view ns) override;
  base::Result<Object> Create(const Object& object) override;
  base::Result<Object> Update(const Object& object, std::string_view expected) override;
  base::Result<Object> UpdateStatus(const Object& object, std::string_view expected) override;
  base::Result<void> Delete(Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override;
  // The store's own; objects as they are stored.
  base::Result<std::unique_ptr<Watch>> OpenWatch(Kind kind, std::string_view ns,
                                                 std::string_view from) override;

 private:
  // Written here and not told of yet.
  struct Untold {
    std::string version;  // that it has since; empty: not known
    base::TimePoint until;
  };
  const WatchedKind* WatchOf(Kind kind, std::string_view ns) const;
  void Touch(const ObjectKey& key, std::string version);
  bool IsTold(const ObjectKey& key, const std::optional<Object>& known);
  bool AllTold(Kind kind, const WatchedKind& watch);
  base::Result<Object> Wrote(const ObjectKey& key, base::Result<Object> written);
  Object Show(Object object) const { return shown_ ? shown_(object) : std::move(object); }

  ResourceStore& store_;
  base::Clock& clock_;
  const std::string ns_;
  const Shown shown_;
  std::mutex mutex_;
  std::map<ObjectKey, Untold> untold_;
  std::map<Kind, std::unique_ptr<WatchedKind>> watches_;
};

}  // namespace hsmops::cluster
