// Operations that nobody can carry out say so, can be cancelled and come to an end.
#include "libhsmops/manager/stranded.h"

#include <doctest/doctest.h>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

using cluster::HSMOperation;
using cluster::OperationPhase;

HSMOperation Asked(World& world, const std::string& name, const std::string& device) {
  HSMOperation operation;
  operation.metadata.ns = "default";
  operation.metadata.name = name;
  operation.spec.type = cluster::OperationType::kSync;
  operation.spec.device_ref = {device, ""};
  auto created = cluster::CreateNew(world.resources, operation);
  REQUIRE(created.ok());
  return *std::move(created);
}

HSMOperation Now(World& world, const std::string& name) {
  auto operation = cluster::Load<HSMOperation>(world.resources, "default", name);
  REQUIRE(operation.ok());
  return *std::move(operation);
}

// Every ten seconds, as the manager does.
void LookFor(ManagedPool& w, Strays& strays, std::chrono::seconds time) {
  for (auto left = time; left > std::chrono::seconds(0); left -= std::chrono::seconds(10)) {
    w.pool.clock().Advance(std::min(left, std::chrono::seconds(10)));
    strays.Look(w.pool.world(), "default", {"d"});
  }
}

void Cancel(World& world, const std::string& name) {
  HSMOperation operation = Now(world, name);
  operation.spec.cancel = true;
  REQUIRE(cluster::Save(world.resources, operation).ok());
}

}  // namespace

TEST_CASE("an operation of a device that is not there ends, once that has lasted") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Strays strays;
  (void)Asked(world, "stray", "none");
  (void)Asked(world, "own", "d");
  strays.Look(world, "default", {"d"});
  LookFor(w, strays, std::chrono::seconds(59));
  CHECK(Now(world, "stray").status.phase == OperationPhase::kPending);
  w.pool.clock().Advance(Strays::kMissingFor);
  strays.Look(world, "default", {"d"});  // the first for long: it may have been there
  CHECK(Now(world, "stray").status.phase == OperationPhase::kPending);
  strays.Look(world, "default", {"d", "none"});  // it came after all
  strays.Look(world, "default", {"d"});
  CHECK(Now(world, "stray").status.phase == OperationPhase::kPending);
  LookFor(w, strays, Strays::kMissingFor);
  const HSMOperation ended = Now(world, "stray");
  CHECK(ended.status.phase == OperationPhase::kFailed);
  CHECK(ended.status.result == base::Name(base::ErrorCode::kNotFound));
  CHECK(ended.status.message ==
        "there is no HSMDevice none in namespace default; nothing was changed");
  CHECK(Now(world, "own").status.phase == OperationPhase::kPending);
}

TEST_CASE("what was begun when its device was deleted is in doubt, and nothing is kept for ever") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Strays strays;
  HSMOperation running = Asked(world, "begun", "none");
  running.status.phase = OperationPhase::kRunning;
  REQUIRE(cluster::SaveStatus(world.resources, running).ok());
  strays.Look(world, "default", {"d"});
  LookFor(w, strays, Strays::kMissingFor);
  CHECK(Now(world, "begun").status.result == base::Name(base::ErrorCode::kInDoubt));
  HSMOperation again = Asked(world, "again", "none");  // its manager died in it
  again.status.steps.push_back({"wipe", cluster::StepState::kFailed, {}, {}, ""});
  REQUIRE(cluster::SaveStatus(world.resources, again).ok());
  Cancel(world, "again");
  strays.Look(world, "default", {"d"});
  CHECK(Now(world, "again").status.result == base::Name(base::ErrorCode::kInDoubt));
  HSMOperation brief = Asked(world, "brief", "none");
  brief.spec.ttl_seconds_after_finished = std::chrono::seconds(10);
  REQUIRE(cluster::Save(world.resources, brief).ok());
  Cancel(world, "brief");
  strays.Look(world, "default", {"d"});
  CHECK(Now(world, "brief").status.phase == OperationPhase::kCancelled);
  w.pool.clock().Advance(std::chrono::seconds(11));
  strays.Look(world, "default", {"d"});
  CHECK(cluster::Load<HSMOperation>(world.resources, "default", "brief")
            .Is(base::ErrorCode::kNotFound));
}

TEST_CASE("an operation of a device that cannot be looked after waits aloud, and is done later") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Controller leader(world, "default", "d");
  w.TurnsOf(leader, 2);
  w.WriteMirroring("minSyncMirrors", 7);
  (void)Asked(world, "later", "d");
  (void)Asked(world, "never", "d");
  Cancel(world, "never");
  w.TurnsOf(leader, 1);
  CHECK(Now(world, "never").status.phase == OperationPhase::kCancelled);
  const HSMOperation waiting = Now(world, "later");
  CHECK(waiting.status.phase == OperationPhase::kPending);
  CHECK(waiting.status.message.find("kubectl hsm health d") != std::string::npos);
  w.WriteMirroring("minSyncMirrors", 1);
  w.Grant();
  w.TurnsOf(leader, 2);
  CHECK(Now(world, "later").status.phase == OperationPhase::kSucceeded);
}

}  // namespace hsmops::manager
