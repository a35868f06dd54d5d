// Event (events.k8s.io/v1): what happened to an object, told to people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

// The limits that Kubernetes sets for this API version.
inline constexpr std::size_t kMaxEventNoteBytes = 1024;
inline constexpr std::size_t kMaxEventReasonBytes = 128;

enum class EventType : std::uint8_t { kNormal, kWarning };
std::span<const Named<EventType>> NamesOf(EventType);

// core/v1 ObjectReference, as far as we use it.
struct EventSubject {
  std::string api_version;
  std::string kind;
  std::string ns;
  std::string name;
  std::string uid;
  bool operator==(const EventSubject&) const = default;
};

struct EventSeries {
  int count = 0;  // of all occurrences; at least 2
  std::optional<base::WallTime> last_observed_time;
  bool operator==(const EventSeries&) const = default;
};

struct Event {
  static constexpr Kind kKind = Kind::kEvent;
  ObjectMeta metadata;
  std::optional<base::WallTime> event_time;  // of the first occurrence
  std::optional<EventSeries> series;
  std::string reporting_controller;
  std::string reporting_instance;
  std::string action;
  std::string reason;
  EventType type = EventType::kNormal;
  EventSubject regarding;
  std::string note;

  // kInvalid as HSMDevice::FromJson.
  static base::Result<Event> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;

  int Count() const { return series ? series->count : 1; }
  std::optional<base::WallTime> LastSeen() const {
    return series ? series->last_observed_time : event_time;
  }

  bool operator==(const Event&) const = default;
};

}  // namespace hsmops::cluster
