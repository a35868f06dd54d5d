#include "libhsmops/cluster/event_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "libhsmops/cluster/memory_resource_store.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::cluster {
namespace {

// Keeps whoever writes an Event waiting until it is opened.
class GatedStore : public manager::PassingStore {
 public:
  using PassingStore::PassingStore;
  ~GatedStore() override { Open(); }
  base::Result<Object> Create(const Object& object) override {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    auto created = PassingStore::Create(object);
    ++created_;
    changed_.notify_all();
    return created;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void WaitArrived(int count) { Wait(arrived_, count); }
  void WaitCreated(int count) { Wait(created_, count); }

 private:
  void Wait(const int& counter, int count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return counter >= count; }));
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
  int created_ = 0;
};

struct QueueWorld {
  base::ManualClock clock;
  base::SystemRng rng;
  MemoryResourceStore memory{clock, rng};
  GatedStore store{memory};
  int lost = 0;
  std::optional<EventQueue> queue{std::in_place, store, clock, rng, "c", "m", [this] { ++lost; }};
  EventSubject subject{"hsm.j5t.io/v1alpha1", "HSMSecret", "apps", "db", "uid-1"};
  ~QueueWorld() { store.Open(); }  // else the queue would wait for it
  void Tell(const std::string& note) {
    queue->Tell(subject, {EventType::kNormal, "Synced", "", note});
  }
};

}  // namespace

TEST_CASE("an event is dated when it happened, and nobody waits for a store that does not answer") {
  QueueWorld world;
  const base::WallTime then = world.clock.Wall();
  world.Tell("first");
  world.store.WaitArrived(1);  // and stays there
  world.Tell("second");
  world.clock.Advance(std::chrono::minutes(3));
  world.store.Open();
  world.store.WaitCreated(2);
  const auto told = EventsOf(world.memory, world.subject);
  REQUIRE(told.ok());
  REQUIRE(told->size() == 2);
  for (const Event& event : *told) CHECK(event.event_time == then);
}

TEST_CASE("a queue of events has a bound, says once that it is full, and keeps the newest") {
  QueueWorld world;
  world.Tell("in hand");
  world.store.WaitArrived(1);
  const int most = EventQueue::kMost;
  for (int i = 0; i < most; ++i) world.Tell(std::to_string(i));
  CHECK(world.lost == 0);
  for (int i = 0; i < 3; ++i) world.Tell("late");
  CHECK(world.lost == 1);
  world.store.Open();
  world.store.WaitCreated(most + 1);
  const auto told = EventsOf(world.memory, world.subject);
  REQUIRE(told.ok());
  const auto count = [&](const std::string& note) {
    return std::ranges::count(*told, note, &Event::note);
  };
  CHECK(count("late") == 3);
  CHECK(count("2") == 0);
  CHECK(count("3") == 1);
  for (int i = 0; i < 10; ++i) world.Tell("after");  // there is room again
  CHECK(world.lost == 1);
}

}  // namespace hsmops::cluster
