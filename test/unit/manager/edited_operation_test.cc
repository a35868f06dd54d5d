// What an operation asked for when it was taken is what is carried out, whatever is written into it
// since (an API server refuses that; a folder does not).
#include <doctest/doctest.h>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

void MakeDry(SmallPool& pool, const char* name) {
  cluster::HSMOperation now = pool.Operation(name);
  now.spec.dry_run = true;
  REQUIRE(cluster::Save(pool.world().resources, now).ok());
}

}  // namespace

TEST_CASE("dryRun written into a promotion that runs makes no rehearsal of it") {
  ManagedPool w({"a", "b", "c"});
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kPromote;
  spec.target_node = "b";
  w.pool.Ask("handover", spec);
  w.pool.Before(agent::Verb::kFence, [&] { MakeDry(w.pool, "handover"); });
  w.Turns(4);
  CHECK(w.pool.holder() == "b");
  CHECK(w.pool.Operation("handover").status.result == "Done");
}

TEST_CASE("dryRun written into a failover past P2 does not end it without a Primary") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("b", Reached::kNo);
  w.pool.Ask("forced", FailoverTo("c", true));
  Controller leader(w.pool.world(), "default", "d");
  w.pool.Before(agent::Verb::kFence, [&] { w.pool.Reach("c", Reached::kNo); });
  w.TurnsOf(leader, 1);
  REQUIRE(w.pool.Operation("forced").status.phase == cluster::OperationPhase::kRunning);
  MakeDry(w.pool, "forced");
  w.pool.Reach("c", Reached::kYes);
  w.TurnsOf(leader, 12);
  CHECK(w.pool.holder() == "c");
  const cluster::HSMOperationStatus status = w.pool.Operation("forced").status;
  CHECK_MESSAGE(status.result == "Done", status.result, ": ", status.message);
}

TEST_CASE("a Promote that names nobody promotes nobody") {
  ManagedPool w({"a", "b"});
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kPromote;
  w.pool.Ask("whom", spec);
  w.Turns(3);
  CHECK(w.pool.holder() == "a");
  CHECK(w.pool.Operation("whom").status.result == "Invalid");
}

}  // namespace hsmops::manager
