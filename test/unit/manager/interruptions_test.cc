// What comes in between while a leader works: a cancel, a member that dies, a store that is away, a
// request that is late; and what is on record then. Found by a review.
#include "libhsmops/cluster/hsm_operation.h"
#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/next_operation.h"
#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/report.h"
#include "libhsmops/manager/taking_over.h"
#include "libhsmops/manager/task.h"
#include "test/unit/manager/mirrored_pool.h"

namespace hsmops::manager {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

void TurnsFor(SmallPool& pool, Controller& controller, base::Duration time) {
  const base::TimePoint until = pool.clock().Now() + time;
  while (pool.clock().Now() < until) {
    (void)controller.Turn();
    pool.clock().Advance(seconds(2));
  }
}

}  // namespace

TEST_CASE("an operation that somebody asks to cancel while it runs still ends") {
  MirroredPool world;
  auto pool = world.pool.Open();
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kReinit;
  spec.target_node = "b";
  auto log = OperationLog::Begin(*pool, spec);
  REQUIRE(log.ok());
  auto& resources = world.pool.world().resources;
  auto asked = cluster::Load<cluster::HSMOperation>(resources, "default", log->name());
  REQUIRE(asked.ok());
  asked->spec.cancel = true;
  REQUIRE(cluster::Save(resources, *asked).ok());
  const std::string said = Carry(*pool, *log);
  INFO(said);
  auto after = cluster::Load<cluster::HSMOperation>(resources, "default", log->name());
  REQUIRE(after.ok());
  CHECK(after->status.phase == cluster::OperationPhase::kSucceeded);
  // The next leader.
  auto next = world.pool.Open();
  REQUIRE(TakeOver(*next).ok());
  REQUIRE(BeginNext(*next).ok());
  after = cluster::Load<cluster::HSMOperation>(resources, "default", log->name());
  REQUIRE(after.ok());
  CHECK_MESSAGE(after->status.phase != cluster::OperationPhase::kCancelled, after->status.message);
}

TEST_CASE("a person can force a promotion that a leader cannot end") {
  SmallPool pool({"a", "b", "c"});
  pool.EditFailover([](cluster::FailoverSpec& failover) { failover.min_interval = seconds(0); });
  Controller controller(pool.world(), "default", "d");
  TurnsFor(pool, controller, seconds(10));
  REQUIRE(pool.Open()->SyncSetNodes().size() == 2);
  pool.Before(agent::Verb::kFence, [&] { pool.Reach("c", Reached::kNo); });
  pool.Reach("a", Reached::kNo);
  TurnsFor(pool, controller, minutes(3));
  REQUIRE(pool.Open()->arbiter().phase == cluster::ArbiterPhase::kPromoting);
  pool.Ask("forced", FailoverTo("b", true));
  TurnsFor(pool, controller, minutes(10));
  const auto after =
      cluster::Load<cluster::HSMOperation>(pool.world().resources, "default", "forced");
  REQUIRE(after.ok());
  CHECK(after->Finished());
  CHECK(pool.holder() == "b");
}

TEST_CASE("a promotion that ends with another than who was asked for is not called done") {
  SmallPool pool({"a", "b", "c"});
  Controller controller(pool.world(), "default", "d");
  TurnsFor(pool, controller, seconds(10));
  REQUIRE(pool.Open()->SyncSetNodes().size() == 2);
  pool.Before(agent::Verb::kFence, [&] { pool.Reach("b", Reached::kNo); });
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kPromote;
  spec.target_node = "b";
  pool.Ask("asked", spec);
  TurnsFor(pool, controller, minutes(3));
  REQUIRE(pool.Open()->arbiter().phase == cluster::ArbiterPhase::kNormal);
  CHECK(pool.holder() != "b");
  const auto after =
      cluster::Load<cluster::HSMOperation>(pool.world().resources, "default", "asked");
  REQUIRE(after.ok());
  CHECK_MESSAGE(after->status.phase == cluster::OperationPhase::kPartial, after->status.message);
}

TEST_CASE("a Strict Primary that is cut from its equal mirror is not called ready") {
  MirroredPool world;
  auto& resources = world.pool.world().resources;
  auto device = cluster::Load<cluster::HSMDevice>(resources, "default", "d");
  REQUIRE(device.ok());
  device->spec.mirroring->durability = cluster::Durability::kStrict;
  REQUIRE(cluster::Save(resources, *device).ok());
  world.pool.world().managers = failover::Managers::kLead;
  Controller controller(world.pool.world(), "default", "d");
  const auto turns = [&](int count) {
    for (int turn = 0; turn < count; ++turn) {
      world.Grant();
      (void)controller.Turn();
      world.pool.clock().Advance(seconds(1));
    }
    world.Grant();
  };
  turns(3);
  REQUIRE(world.Put("app", "1").ok());
  world.pool.SetApart(true);
  CHECK(!world.Put("app", "2").ok());
  turns(400);
  auto pool = world.pool.Open();
  const auto state = pool->Observe(true);
  CHECK(!world.Put("other", "1").ok());
  const auto status = StatusOf(pool->device(), state, world.pool.clock().Wall());
  CHECK(!state.Unreached().empty());
  CHECK_MESSAGE(!WhyStrictRefuses(pool->device(), 2, EqualMirrors(state)).empty(),
                "check --for write says yes, " << EqualMirrors(state) << " would confirm");
  const auto* ready = cluster::FindCondition(status.conditions, "Ready");
  REQUIRE(ready != nullptr);
  CHECK(ready->status == cluster::ConditionStatus::kFalse);
}

TEST_CASE("a record that is older than what a member was told is a condition of the device") {
  SmallPool pool({"a", "b"});
  const auto regressed = [&] {
    const auto opened = pool.Open();
    const auto status = StatusOf(opened->device(), opened->Observe(true), pool.clock().Wall());
    const auto* condition = cluster::FindCondition(status.conditions, "EpochRegressed");
    REQUIRE(condition != nullptr);
    return condition->status;
  };
  CHECK(regressed() == cluster::ConditionStatus::kFalse);
  const store::Term term = pool.Open()->term();
  REQUIRE(pool.member("b").Fence({{term.epoch.counter + 1, 7}, term.generation + 1}).ok());
  CHECK(regressed() == cluster::ConditionStatus::kTrue);
}

TEST_CASE("an init that comes late takes no epoch back") {
  SmallPool pool({"a", "b"});
  auto opened = pool.Open();
  const store::Term first = opened->term();
  REQUIRE(pool.member("b").Fence({{first.epoch.counter + 4, 7}, first.generation + 4}).ok());
  pool.token("b").Wipe();  // its maker's tool
  pool.token("b").Unplug();
  pool.token("b").Replug();
  (void)pool.member("b").Status(true);
  const auto before = pool.member("b").Told();
  const auto late = pool.member("b").Initialize(first, false);
  INFO((late.ok() ? std::string("obeyed") : late.error().message()));
  const auto after = pool.member("b").Told();
  if (before.ok() && after.ok()) CHECK(after->epoch.counter >= before->epoch.counter);
}

TEST_CASE("a token's label does not keep the device's status from being written") {
  SmallPool pool({"a", "b"});
  Controller controller(pool.world(), "default", "d");
  TurnsFor(pool, controller, minutes(1));
  const auto phase = [&] {
    return cluster::Load<cluster::HSMDevice>(pool.world().resources, "default", "d")->status.phase;
  };
  REQUIRE(phase() == cluster::DevicePhase::kReady);
  pool.token("a").SetIdentity({"caf\xe9", "nobody", "memory", "serial-a"});
  pool.Reach("b", Reached::kNo);
  TurnsFor(pool, controller, minutes(2));
  CHECK(phase() == cluster::DevicePhase::kDegraded);
}

TEST_CASE("a failover whose record could not be written once still counts and ends") {
  SmallPool pool({"a", "b", "c"});
  Controller controller(pool.world(), "default", "d");
  TurnsFor(pool, controller, seconds(10));
  REQUIRE(pool.Open()->SyncSetNodes().size() == 2);
  auto& store = dynamic_cast<cluster::MemoryResourceStore&>(pool.world().resources);
  // The API server goes away when the new Primary's gate opens, and is back a moment later.
  pool.Before(agent::Verb::kOpenGate, [&] { store.SetReachable(false); });
  pool.Reach("a", Reached::kNo);
  for (int turn = 0; turn < 120 && pool.holder() != "b"; ++turn) {
    (void)controller.Turn();
    store.SetReachable(true);
    pool.clock().Advance(seconds(2));
  }
  TurnsFor(pool, controller, seconds(20));
  REQUIRE(pool.holder() == "b");
  CHECK(pool.Open()->Recorded().last_failover.has_value());
  const auto all = cluster::LoadAll<cluster::HSMOperation>(store, "default");
  REQUIRE(all->items.size() == 1);
  CHECK(all->items[0].Finished());
  // Within minInterval.
  TurnsFor(pool, controller, seconds(60));
  pool.Reach("b", Reached::kNo);
  pool.Reach("a", Reached::kYes);
  TurnsFor(pool, controller, minutes(3));
  CHECK(pool.holder() == "b");
}

}  // namespace hsmops::manager
