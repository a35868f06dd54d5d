#include "libhsmops/cluster/event_recorder.h"

#include <doctest/doctest.h>

#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cluster {
namespace {

struct RecorderWorld {
  base::ManualClock clock;
  base::SeededRng rng{1};
  MemoryResourceStore store{clock, rng};
  EventRecorder recorder{store, clock, rng, "hsm.j5t.io/manager", "manager-0"};
  EventSubject subject{"hsm.j5t.io/v1alpha1", "HSMDevice", "hsm-system", "payments", "uid-1"};
  std::vector<Event> All() { return *EventsOf(store, subject); }
};

}  // namespace

TEST_CASE("an event that repeats adds to its series, until the window has passed") {
  RecorderWorld world;
  const EventRecorder::What lost{EventType::kWarning, "DeviceLost", "", "worker-2 does not answer"};
  REQUIRE(world.recorder.Record(world.subject, lost).ok());
  world.clock.Advance(std::chrono::minutes(9));
  REQUIRE(world.recorder.Record(world.subject, lost).ok());
  world.clock.Advance(std::chrono::minutes(9));
  CHECK(world.recorder.Record(world.subject, lost)->Count() == 3);
  CHECK(world.All().size() == 1);
  CHECK(world.All()[0].series->last_observed_time == world.clock.Wall());
  REQUIRE(world.recorder
              .Record(world.subject,
                      {EventType::kWarning, "DeviceLost", "", "worker-3 does not answer"})
              .ok());
  CHECK(world.All().size() == 2);
  world.clock.Advance(std::chrono::minutes(11));
  CHECK(world.recorder.Record(world.subject, lost)->Count() == 1);
  CHECK(world.All().size() == 3);
}

TEST_CASE("an object keeps its last thousand events") {
  RecorderWorld world;
  EventSubject other = world.subject;
  other.name = "keys";
  REQUIRE(world.recorder.Record(other, {EventType::kNormal, "Synced", "", "kept"}).ok());
  for (int i = 0; i < 1000; ++i) {  // as another replica would have told them
    Event event;
    event.metadata.name = "payments." + std::to_string(i);
    event.metadata.ns = world.subject.ns;
    event.event_time = world.clock.Wall() + std::chrono::seconds(i);
    event.reason = "Synced";
    event.regarding = world.subject;
    event.note = std::to_string(i);
    REQUIRE(CreateNew(world.store, event).ok());
  }
  for (int i = 1000; i < 1003; ++i) {
    world.clock.Advance(std::chrono::seconds(1000));
    REQUIRE(
        world.recorder.Record(world.subject, {EventType::kNormal, "Synced", "", std::to_string(i)})
            .ok());
  }
  const auto events = world.All();
  REQUIRE(events.size() == kMaxEventsPerSubject);
  CHECK(events.front().note == "3");
  CHECK(events.back().note == "1002");
  CHECK(EventsOf(world.store, other)->size() == 1);
}

TEST_CASE("a note is cut at a character, a reason is not") {
  RecorderWorld world;
  std::string note(1023, 'a');
  note += "\xc3\xa4";
  CHECK(world.recorder.Record(world.subject, {EventType::kNormal, "Synced", "", note})->note ==
        std::string(1023, 'a'));
  CHECK(world.recorder.Record(world.subject, {EventType::kNormal, std::string(129, 'r'), "", ""})
            .Is(base::ErrorCode::kInvalid));
  CHECK(world.recorder.Record(world.subject, {EventType::kNormal, "", "", ""})
            .Is(base::ErrorCode::kInvalid));
}

TEST_CASE("operations past their time are listed, not removed") {
  RecorderWorld world;
  const auto add = [&](std::string name, OperationPhase phase,
                       std::optional<std::chrono::seconds> ttl) {
    HSMOperation operation;
    operation.metadata.name = std::move(name);
    operation.spec.device_ref.name = "payments";
    operation.spec.type = OperationType::kSync;
    operation.spec.ttl_seconds_after_finished = ttl;
    auto made = CreateNew(world.store, operation);
    REQUIRE(made.ok());
    made->status.phase = phase;
    made->status.completed_at = world.clock.Wall();
    REQUIRE(SaveStatus(world.store, *made).ok());
  };
  add("kept", OperationPhase::kSucceeded, std::nullopt);
  add("running", OperationPhase::kRunning, std::chrono::seconds(5));
  add("done", OperationPhase::kCancelled, std::chrono::seconds(5));
  CHECK(ExpiredOperations(world.store, "", world.clock.Wall() + std::chrono::seconds(4))->empty());
  const auto expired =
      ExpiredOperations(world.store, "", world.clock.Wall() + std::chrono::seconds(5));
  REQUIRE(expired->size() == 1);
  CHECK(expired->front().metadata.name == "done");
  CHECK(LoadAll<HSMOperation>(world.store, "")->items.size() == 3);
}

}  // namespace hsmops::cluster
