// The spec is edited while a turn is under way.
#include <doctest/doctest.h>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {

TEST_CASE("a change of the spec in the middle of a turn is followed") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Controller leader(w.pool.world(), "default", "d");
  w.Grant();
  w.TurnsOf(leader, 1);
  w.pool.Before(agent::Verb::kStatus, [&] {  // while it looks at its members
    w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  });
  for (int turn = 0; turn < 20; ++turn) {
    w.Grant();
    w.TurnsOf(leader, 1);
  }
  CHECK(w.pool.Open()->Recorded().strangers_in_sync_set == 0);
}

TEST_CASE("a node that left the spec in the middle of a turn ends no manager") {
  ManagedPool w({"a", "b", "c"});
  Controller leader(w.pool.world(), "default", "d");
  w.Grant();
  w.TurnsOf(leader, 1);
  w.pool.Before(agent::Verb::kStatus, [&] {
    w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  });
  w.Grant();
  w.TurnsOf(leader, 1);
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  sync.full = true;
  w.pool.Ask("full", sync);
  w.Grant();
  CHECK_NOTHROW(w.TurnsOf(leader, 1));
}

}  // namespace hsmops::manager
