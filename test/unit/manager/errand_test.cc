// What takes long is done beside the turns: a wipe holds up neither a failover nor what is short.
#include "libhsmops/manager/errand.h"

#include "libhsmops/manager/next_operation.h"
#include "libhsmops/manager/taking_over.h"
#include "test/unit/manager/errand_scene.h"

namespace hsmops::manager {

using cluster::OperationPhase;
using cluster::OperationType;

TEST_CASE("a wipe that takes long holds up no failover, and is filled from whom that promotes") {
  ErrandScene all(agent::Verb::kInitialize);
  all.Begin();
  all.w.pool.Reach("a", Reached::kNo);
  CHECK(all.Moves("b"));
  CHECK(all.request.waiting == 1);
  CHECK(all.w.Seen("b", "app") == "1");
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
  const auto wipe = all.w.pool.Operation("wipe");
  CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
  CHECK(all.w.pool.member("c").Status(false)->secrets == 1);
}

TEST_CASE("the status says meanwhile that it is wiped, and counts on it for nothing") {
  ErrandScene all(agent::Verb::kInitialize);
  all.Begin();
  all.Turns(5);
  CHECK_FALSE(all.StatusOf("c").available);
  CHECK(all.StatusOf("c").message == "wipe wipes it and fills it again");
  CHECK(all.StatusOf("c").in_sync == false);
  CHECK(all.w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  CHECK(all.w.pool.Told("DeviceLost") == 0);
  REQUIRE(all.w.Put("a", "app", "2").ok());
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.StatusOf("c").available; }));
  CHECK(all.w.pool.Open()->SyncSetNodes().size() == 2);
}

TEST_CASE("what is short is done beside it, and what takes long waits, a planned promotion too") {
  ErrandScene all(agent::Verb::kInitialize);
  all.Begin();
  cluster::HSMOperationSpec pause = SpecOf(OperationType::kPause);
  pause.until = all.w.pool.clock().Wall() + std::chrono::hours(1);
  all.w.pool.Ask("sync", SpecOf(OperationType::kSync));
  all.w.pool.Ask("promote", SpecOf(OperationType::kPromote, "b"));
  all.w.pool.Ask("pause", pause);
  all.Turns(5);
  CHECK(all.PhaseOf("pause") == OperationPhase::kSucceeded);
  CHECK(all.PhaseOf("sync") == OperationPhase::kPending);
  CHECK(all.PhaseOf("promote") == OperationPhase::kPending);
  CHECK(all.w.pool.Operation("promote").status.message == "it waits for wipe to end");
  CHECK(all.PhaseOf("wipe") == OperationPhase::kRunning);
  all.GoOn();
  for (const char* waited : {"promote", "sync"})
    CHECK(all.TurnsUntil([&] { return all.w.pool.Operation(waited).Finished(); }));
  CHECK(all.PhaseOf("sync") == OperationPhase::kSucceeded);
  CHECK(all.PhaseOf("promote") == OperationPhase::kSucceeded);
  CHECK(all.w.pool.Operation("promote").status.message.find("waits") == std::string::npos);
  CHECK(all.w.pool.holder() == "b");
}

TEST_CASE("a leader that takes over has not begun again what it still has in hand") {
  ErrandScene all(agent::Verb::kInitialize);
  all.Begin();
  all.leader.Rest();
  all.Turns(5);
  CHECK(all.PhaseOf("wipe") == OperationPhase::kRunning);
  CHECK(all.request.waiting == 1);
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
  CHECK(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
}

TEST_CASE("what another leader began again and did not end is not left as running for ever") {
  ErrandScene all(agent::Verb::kInitialize);
  all.Begin();
  all.leader.Rest();
  auto other = all.w.pool.Open();
  REQUIRE(TakeOver(*other).ok());
  const auto again = BeginNext(*other);
  REQUIRE((again.ok() && *again));
  CHECK((*again)->name() == "wipe");
  all.Turns(3);
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
  CHECK(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
}

}  // namespace hsmops::manager
