#include "libhsmops/cluster/event_recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kMaxSubjectInName = 200;
constexpr int kFoldAttempts = 3;

bool SameSubject(const EventSubject& a, const EventSubject& b) {
  return a.kind == b.kind && a.ns == b.ns && a.name == b.name &&
         (a.uid.empty() || b.uid.empty() || a.uid == b.uid);
}

std::string Cut(std::string text) {
  if (text.size() <= kMaxEventNoteBytes) return text;
  text.resize(kMaxEventNoteBytes);
  while (!text.empty() && !base::IsUtf8(text)) text.pop_back();
  return text;
}

}  // namespace

EventRecorder::EventRecorder(ResourceStore& store, base::Clock& clock, base::Rng& rng,
                             std::string controller, std::string instance)
    : store_(store),
      clock_(clock),
      rng_(rng),
      controller_(std::move(controller)),
      instance_(std::move(instance)) {}

Result<std::vector<Event>> EventsOf(ResourceStore& store, const EventSubject& subject) {
  HSM_TRY(auto loaded, LoadAll<Event>(store, subject.ns));
  std::erase_if(loaded.items,
                [&](const Event& event) { return !SameSubject(event.regarding, subject); });
  std::ranges::stable_sort(loaded.items, {}, &Event::LastSeen);
  return std::move(loaded.items);
}

namespace {

Result<EventRecorder::What> Fitted(EventRecorder::What what) {
  if (what.reason.empty() || what.reason.size() > kMaxEventReasonBytes ||
      what.action.size() > kMaxEventReasonBytes) {
    return Error(ErrorCode::kInvalid, fmt::format("an Event's reason and action have 1 to {} bytes",
                                                  kMaxEventReasonBytes));
  }
  what.note = Cut(what.note);
  if (what.action.empty()) what.action = what.reason;
  return what;
}

}  // namespace

Result<Event> EventRecorder::Tell(const EventSubject& subject, const What& what,
                                  base::WallTime when) {
  HSM_TRY(const What fitted, Fitted(what));
  return Add(subject, fitted, when);
}

Result<Event> EventRecorder::Record(const EventSubject& subject, const What& what) {
  HSM_TRY(const What fitted, Fitted(what));
  for (int attempt = 0;; ++attempt) {
    const base::WallTime now = clock_.Wall();
    HSM_TRY(std::vector<Event> events, EventsOf(store_, subject));
    const auto same = std::find_if(events.rbegin(), events.rend(), [&](const Event& event) {
      return event.type == fitted.type && event.reason == fitted.reason &&
             event.action == fitted.action && event.note == fitted.note &&
             event.reporting_controller == controller_ && event.LastSeen() &&
             *event.LastSeen() + kEventFoldWindow >= now;
    });
    if (same == events.rend()) {
      HSM_RETURN_IF_ERROR(Trim(std::move(events)));
      return Add(subject, fitted, now);
    }
    auto folded = Fold(*same, now);
    // Another replica told the same at the same time, or removed it: look again, a few times.
    const bool moved = folded.Is(ErrorCode::kConflict) || folded.Is(ErrorCode::kNotFound);
    if (!moved || attempt + 1 == kFoldAttempts) return folded;
  }
}

Result<Event> EventRecorder::Fold(Event event, base::WallTime now) {
  event.series = EventSeries{event.Count() + 1, now};
  return Save(store_, event);
}

Result<Event> EventRecorder::Add(const EventSubject& subject, const What& what,
                                 base::WallTime now) {
  Event event;
  // A name's first 200 bytes may end with '.' or '-', after which no suffix may come.
  std::string prefix = subject.name.substr(0, kMaxSubjectInName);
  while (!prefix.empty() && (prefix.back() == '.' || prefix.back() == '-')) prefix.pop_back();
  event.metadata.name = fmt::format("{}.{}", prefix, base::Hex(rng_.Array<8>()));
  event.metadata.ns = subject.ns;
  event.event_time = now;
  event.reporting_controller = controller_;
  event.reporting_instance = instance_;
  event.action = what.action;
  event.reason = what.reason;
  event.type = what.type;
  event.regarding = subject;
  event.note = what.note;
  return CreateNew(store_, event);
}

Result<void> EventRecorder::Trim(std::vector<Event> events) {
  if (events.size() < kMaxEventsPerSubject) return {};
  events.resize(events.size() - kMaxEventsPerSubject + 1);  // oldest first: these make room for one
  for (const Event& event : events) {
    auto gone = store_.Delete(Kind::kEvent, event.metadata.ns, event.metadata.name, std::nullopt);
    if (!gone.ok() && !gone.Is(ErrorCode::kNotFound)) return gone;
  }
  return {};
}

}  // namespace hsmops::cluster
