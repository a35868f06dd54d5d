// What takes long is done beside the turns: a wipe holds up neither a failover nor what is short.
#include "libhsmops/manager/errand.h"

#include <doctest/doctest.h>
#include <poll.h>

#include "libhsmops/manager/next_operation.h"
#include "libhsmops/manager/taking_over.h"
#include "libhsmops/manager/task.h"
#include "test/unit/manager/held_request.h"

namespace hsmops::manager {
namespace {

using cluster::OperationPhase;
using cluster::OperationType;

cluster::HSMOperationSpec Spec(OperationType type, const std::string& target = {}) {
  cluster::HSMOperationSpec spec;
  spec.type = type;
  spec.target_node = target;
  return spec;
}

// a, b and c, led by one whose wipe of c is held once it is done.
class Wiped {
 public:
  Wiped() {
    w.EditMirroring([](cluster::MirroringSpec& m) { m.sync_interval = std::chrono::seconds(1); });
    Turns(10);
    REQUIRE(w.pool.Open()->SyncSetNodes().size() == 2);
    REQUIRE(w.Put("a", "app", "1").ok());
    w.pool.Ask("wipe", Spec(OperationType::kReinit, "c"));
    REQUIRE(TurnsUntil([&] { return wipe.waiting == 1; }));
  }
  ~Wiped() { wipe.held = false; }

  // Each with a little time, in which who works beside them comes on.
  void Turns(int count) {
    for (int i = 0; i < count; ++i) {
      w.Grant();
      w.TurnsOf(leader, 1);
      poll(nullptr, 0, 5);
    }
  }
  bool TurnsUntil(const std::function<bool()>& holds) {
    for (int i = 0; i < 60 && !holds(); ++i) Turns(1);
    return holds();
  }
  OperationPhase PhaseOf(const std::string& name) { return w.pool.Operation(name).status.phase; }
  cluster::DeviceStatus StatusOf(const std::string& node) {
    const auto devices = w.pool.Open()->device().status.devices;
    const auto found = std::ranges::find(devices, node, &cluster::DeviceStatus::node_name);
    REQUIRE(found != devices.end());
    return *found;
  }

  ManagedPool w{{"a", "b", "c"}};
  HeldRequest wipe{"c", agent::Verb::kInitialize};
  base::ThreadExecutor executor;
  World world = WorldHolding(w, executor, wipe);
  Controller leader{world, "default", "d"};
};

}  // namespace

TEST_CASE("a wipe that takes long holds up no failover, and is filled from whom that promotes") {
  Wiped all;
  all.w.pool.Reach("a", Reached::kNo);
  CHECK(all.TurnsUntil([&] { return all.w.pool.holder() == "b"; }));
  CHECK(all.wipe.waiting == 1);
  CHECK(all.w.Seen("b", "app") == "1");
  all.wipe.held = false;
  CHECK(all.TurnsUntil([&] { return all.w.pool.Operation("wipe").Finished(); }));
  const auto wipe = all.w.pool.Operation("wipe");
  CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
  CHECK(all.w.pool.member("c").Status(false)->secrets == 1);
}

TEST_CASE("the status says meanwhile that it is wiped, and counts on it for nothing") {
  Wiped all;
  all.Turns(5);
  CHECK_FALSE(all.StatusOf("c").available);
  CHECK(all.StatusOf("c").message == "wipe wipes it and fills it again");
  CHECK(all.StatusOf("c").in_sync == false);
  CHECK(all.w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  CHECK(all.w.pool.Told("DeviceLost") == 0);
  REQUIRE(all.w.Put("a", "app", "2").ok());
  all.wipe.held = false;
  CHECK(all.TurnsUntil([&] { return all.StatusOf("c").available; }));
  CHECK(all.w.pool.Open()->SyncSetNodes().size() == 2);
}

TEST_CASE("what is short is done beside it, and what takes long waits, a planned promotion too") {
  Wiped all;
  cluster::HSMOperationSpec pause = Spec(OperationType::kPause);
  pause.until = all.w.pool.clock().Wall() + std::chrono::hours(1);
  all.w.pool.Ask("sync", Spec(OperationType::kSync));
  all.w.pool.Ask("promote", Spec(OperationType::kPromote, "b"));
  all.w.pool.Ask("pause", pause);
  all.Turns(5);
  CHECK(all.PhaseOf("pause") == OperationPhase::kSucceeded);
  CHECK(all.PhaseOf("sync") == OperationPhase::kPending);
  CHECK(all.PhaseOf("promote") == OperationPhase::kPending);
  CHECK(all.w.pool.Operation("promote").status.message == "it waits for wipe to end");
  CHECK(all.PhaseOf("wipe") == OperationPhase::kRunning);
  all.wipe.held = false;
  for (const char* waited : {"promote", "sync"})
    CHECK(all.TurnsUntil([&] { return all.w.pool.Operation(waited).Finished(); }));
  CHECK(all.PhaseOf("sync") == OperationPhase::kSucceeded);
  CHECK(all.PhaseOf("promote") == OperationPhase::kSucceeded);
  CHECK(all.w.pool.Operation("promote").status.message.find("waits") == std::string::npos);
  CHECK(all.w.pool.holder() == "b");
}

TEST_CASE("a leader that takes over has not begun again what it still has in hand") {
  Wiped all;
  all.leader.Rest();
  all.Turns(5);
  CHECK(all.PhaseOf("wipe") == OperationPhase::kRunning);
  CHECK(all.wipe.waiting == 1);
  all.wipe.held = false;
  CHECK(all.TurnsUntil([&] { return all.w.pool.Operation("wipe").Finished(); }));
  CHECK(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
}

TEST_CASE("what another leader began again and did not end is not left as running for ever") {
  Wiped all;
  all.leader.Rest();
  auto other = all.w.pool.Open();
  REQUIRE(TakeOver(*other).ok());
  const auto again = BeginNext(*other);
  REQUIRE((again.ok() && *again));
  CHECK((*again)->name() == "wipe");
  all.Turns(3);
  all.wipe.held = false;
  CHECK(all.TurnsUntil([&] { return all.w.pool.Operation("wipe").Finished(); }));
  CHECK(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
}

}  // namespace hsmops::manager
