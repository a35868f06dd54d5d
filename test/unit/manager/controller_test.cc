// Controller: what counts as a member that fails, and what is told of it.
#include "libhsmops/manager/controller.h"

#include "test/unit/manager/mirrored_pool.h"

namespace hsmops::manager {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// Turns two seconds apart, for so long; the last sentence.
std::string TurnFor(SmallPool& pool, Controller& controller, base::Duration time) {
  const base::TimePoint until = pool.clock().Now() + time;
  std::string reason;
  while (pool.clock().Now() < until) {
    reason = controller.Turn().reason;
    pool.clock().Advance(seconds(2));
  }
  return reason;
}

}  // namespace

TEST_CASE("a Primary that is silent is replaced, and one that is busy is waited for") {
  for (const Reached reached : {Reached::kNo, Reached::kBusy}) {
    SmallPool pool({"a", "b", "c"});
    pool.EditFailover([](cluster::FailoverSpec& failover) { failover.min_interval = seconds(0); });
    Controller controller(pool.world(), "default", "d");
    TurnFor(pool, controller, seconds(10));
    REQUIRE(pool.Open()->SyncSetNodes().size() == 2);
    REQUIRE(pool.holder() == "a");
    pool.Reach("a", reached);
    TurnFor(pool, controller, minutes(4));
    CHECK((pool.holder() == "a") == (reached == Reached::kBusy));
    CHECK(pool.Told("DeviceLost") == (reached == Reached::kBusy ? 0 : 1));
    // But not for ever: something that no watchdog sees may hold it.
    TurnFor(pool, controller, minutes(2));
    CHECK(pool.holder() != "a");
    CHECK(pool.Told("DeviceLost") == 1);
    CHECK(pool.Told("HSMFailover") == 1);
  }
}

TEST_CASE("what a member was busy with before does not count the next time") {
  SmallPool pool({"a", "b", "c"});
  Controller controller(pool.world(), "default", "d");
  TurnFor(pool, controller, seconds(10));
  for (int times = 0; times < 3; ++times) {
    pool.Reach("a", Reached::kBusy);
    TurnFor(pool, controller, minutes(4));
    pool.Reach("a", Reached::kYes);
    TurnFor(pool, controller, seconds(4));
  }
  CHECK(pool.holder() == "a");
  CHECK(pool.Told("DeviceLost") == 0);
}

TEST_CASE("a status in which only times change is written four times a minute") {
  SmallPool pool({"a", "b", "c"});
  Controller controller(pool.world(), "default", "d");
  TurnFor(pool, controller, minutes(2));
  const auto version = [&] { return pool.Open()->device().metadata.resource_version; };
  int writes = 0;
  std::string before = version();
  for (int turns = 0; turns < 30; ++turns) {
    controller.Turn();
    pool.clock().Advance(seconds(2));
    if (std::string now = version(); now != before) {
      ++writes;
      before = std::move(now);
    }
  }
  CHECK(writes == 4);
}

TEST_CASE("how long a mirror lags counts from when it was last seen to be equal") {
  SmallPool pool({"a", "b"});
  Controller controller(pool.world(), "default", "d");
  TurnFor(pool, controller, minutes(2) + seconds(28));  // the status is as old as it gets
  pool.token("b").Unplug();
  pool.clock().Advance(seconds(2));
  controller.Turn();
  const auto device = pool.Open()->device();
  REQUIRE(device.status.devices.size() == 2);
  REQUIRE(device.status.devices[1].last_sync_time.has_value());
  CHECK(pool.clock().Wall() - *device.status.devices[1].last_sync_time <= seconds(4));
}

TEST_CASE("a PIN that is refused is told once") {
  SmallPool pool({"a", "b"});
  Controller controller(pool.world(), "default", "d");
  TurnFor(pool, controller, seconds(10));
  CHECK(pool.Told("PinRejected") == 0);
  pool.token("b").SetPin(token::PinState::kRejected);
  TurnFor(pool, controller, seconds(20));
  CHECK(pool.Told("PinRejected") == 1);
}

TEST_CASE("a request that a mirror missed takes it out of the sync set only while it stays away") {
  for (const bool stays : {false, true}) {
    MirroredPool world;
    Controller controller(world.pool.world(), "default", "d");
    world.pool.SetApart(true);
    CHECK(world.Put("app", "1").Is(base::ErrorCode::kInDoubt));
    world.pool.SetApart(stays);
    bool left = false;
    for (int turn = 0; turn < 10; ++turn) {
      world.Grant();
      (void)controller.Turn();
      left = left || !world.InSync();
      world.pool.clock().Advance(seconds(2));
    }
    CHECK(left == stays);
    world.pool.SetApart(false);
    for (int turn = 0; turn < 5; ++turn) {
      world.Grant();
      (void)controller.Turn();
      world.pool.clock().Advance(seconds(2));
    }
    CHECK(world.InSync());
  }
}

TEST_CASE("a full history does not forget the failover that minInterval counts from") {
  SmallPool pool{{"a", "b"}};
  auto opened = pool.Open();
  REQUIRE(opened
              ->UpdateStatus([&](cluster::HSMDeviceStatus& status) {
                cluster::HistoryEntry entry;
                entry.time = pool.clock().Wall();
                entry.type = cluster::kUnplanned;
                entry.outcome = "Succeeded";
                status.Remember(entry);
                entry.type = "Promote";
                entry.outcome = "Aborted";
                for (int i = 0; i < 20; ++i) status.Remember(entry);
              })
              .ok());
  CHECK(opened->Recorded().last_failover.has_value());
}

}  // namespace hsmops::manager
