// ResourceStore: the seam to where the cluster's state is remembered. A folder, an API server, or
// memory; everything above cannot tell which.
//
// Thread-safe in every implementation. Documents are not validated beyond their kind and name: that
// is what the typed resources do (typed_store.h). A version is opaque: equal or not, never ordered.
//
// Errors that every operation may give: kUnavailable (could not look; says nothing about the
// object), kCorrupt (what is stored cannot be read), kAuthFailed, kLimit, kInvalid.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxObjectsPerKind = 10'000;
inline constexpr std::size_t kMaxObjectBytes = std::size_t{1} << 20;

enum class ChangeType : std::uint8_t {
  kAdded,
  kModified,
  kDeleted,  // `object` is the last that was known
  kResync,   // changes may have been missed: list again, then go on with this watch. No object
};

struct Change {
  ChangeType type = ChangeType::kResync;
  std::optional<Object> object;
};

// Watch: the changes of one kind, in order for each object. A change that was overtaken by another
// of the same object may be left out; the last state never is.
//
// Next is for one thread; Stop may be called from any. The store must outlive the watch.
class Watch {
 public:
  virtual ~Watch() = default;
  // The next change, waiting for it until `deadline`; a deadline in the past only looks. nullopt:
  // none until then, or stopped. An error (kUnavailable, kCorrupt) does not end the watch: call
  // again, it goes on from what was told last.
  virtual base::Result<std::optional<Change>> Next(base::TimePoint deadline) = 0;
  // Makes this and every later Next return at once, with what is pending or nullopt.
  virtual void Stop() = 0;
};

struct ObjectList {
  std::vector<Object> items;  // by namespace and name
  std::string version;        // of the list; what OpenWatch resumes from
};

class ResourceStore {
 public:
  virtual ~ResourceStore() = default;

  // kNotFound: there is none.
  virtual base::Result<Object> Get(Kind kind, std::string_view ns, std::string_view name) = 0;
  // The same, and never older than what anybody had written, or been told of, before it was called;
  // a store that answers from what it was told of asks.
  virtual base::Result<Object> GetLatest(Kind kind, std::string_view ns, std::string_view name) {
    return Get(kind, ns, name);
  }
  // Of one namespace, or of all when `ns` is empty.
  virtual base::Result<ObjectList> List(Kind kind, std::string_view ns) = 0;

  // Stores a new object, without its status where the kind has a status subresource; what came of
  // it is returned, with uid and version. kConflict: it exists.
  virtual base::Result<Object> Create(const Object& object) = 0;

  // Compare-and-swap: replaces the whole object but its status, if its version is still `expected`
  // (not empty). kConflict: it moved; kNotFound: it is gone. kInDoubt: the answer was lost, it may
  // or may not have taken effect; the same holds for the other operations that write.
  virtual base::Result<Object> Update(const Object& object, std::string_view expected) = 0;
  // The same for the status alone; all else of `object` is ignored. kInvalid: the kind has none.
  virtual base::Result<Object> UpdateStatus(const Object& object, std::string_view expected) = 0;

  // kNotFound: there is none; kConflict: `expected` is given and it moved.
  virtual base::Result<void> Delete(Kind kind, std::string_view ns, std::string_view name,
                                    std::optional<std::string_view> expected) = 0;

  // Changes after `from`, an ObjectList's version of the same kind and namespace; a store that
  // cannot resume from there begins with kResync. With an empty `from` every object that exists
  // comes first, as kAdded.
  virtual base::Result<std::unique_ptr<Watch>> OpenWatch(Kind kind, std::string_view ns,
                                                         std::string_view from) = 0;
};

}  // namespace hsmops::cluster
