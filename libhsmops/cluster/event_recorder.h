// EventRecorder: tells people what happened to an object, by Events in the store.
//
// An Event that repeats one of the last kEventFoldWindow (same object, type, reason, action and
// note) adds to its series instead of making another. At most kMaxEventsPerSubject stay per object;
// the oldest go. Not thread-safe. `store`, `clock` and `rng` must outlive the recorder.
//
// Events are told, not relied on: an error here is worth a log line and nothing more. Notes hold no
// values, no PINs and no foreign error text; that is up to who writes them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/cluster/resources.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxEventsPerSubject = 1000;
inline constexpr std::chrono::minutes kEventFoldWindow{10};

class EventRecorder {
 public:
  // `controller` and `instance` name who tells: "hsm.j5t.io/manager", "manager-0".
  EventRecorder(ResourceStore& store, base::Clock& clock, base::Rng& rng, std::string controller,
                std::string instance);

  struct What {
    EventType type = EventType::kNormal;
    std::string reason;  // "HSMFailover"
    std::string action;  // "Promote"; empty: the reason
    std::string note;    // cut to kMaxEventNoteBytes at a character
  };
  // The Event as it now stands. kInvalid: no reason, or one that is too long.
  base::Result<Event> Record(const EventSubject& subject, const What& what);
  // One more Event, of `when`, whatever others there are: for who tells of many subjects, each
  // seldom.
  base::Result<Event> Tell(const EventSubject& subject, const What& what, base::WallTime when);

 private:
  base::Result<Event> Fold(Event event, base::WallTime now);
  base::Result<Event> Add(const EventSubject& subject, const What& what, base::WallTime now);
  base::Result<void> Trim(std::vector<Event> events);

  ResourceStore& store_;
  base::Clock& clock_;
  base::Rng& rng_;
  const std::string controller_;
  const std::string instance_;
};

// What an Event of this object says of it.
template <typename T>
EventSubject SubjectOf(const T& object) {
  return {std::string(ApiVersion(T::kKind)), std::string(Name(T::kKind)), object.metadata.ns,
          object.metadata.name, object.metadata.uid};
}

// The Events of one object, oldest first.
base::Result<std::vector<Event>> EventsOf(ResourceStore& store, const EventSubject& subject);

}  // namespace hsmops::cluster
