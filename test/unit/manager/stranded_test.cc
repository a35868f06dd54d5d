// Operations that nobody can carry out say so, can be cancelled and come to an end.
#include "libhsmops/manager/stranded.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/manager/collecting.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

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

// "bad", which is like this one and no operation.
void AskBadly(World& world, const HSMOperation& good) {
  nlohmann::json document = good.ToJson();
  document["metadata"] = {{"namespace", "default"}, {"name", "bad"}};
  document["spec"]["type"] = "Sing";
  const auto bad = cluster::Object::From(document);
  REQUIRE(bad.ok());
  REQUIRE(world.resources.Create(*bad).ok());
}

HSMOperation Now(World& world, const std::string& name) {
  auto operation = cluster::Load<HSMOperation>(world.resources, "default", name);
  REQUIRE(operation.ok());
  return *std::move(operation);
}

void Look(World& world, Strays& strays, const std::set<std::string>& devices) {
  strays.Look(world, "default", devices, [] { return true; });
}

// A store that takes no status.
class Refusing : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> UpdateStatus(const cluster::Object&, std::string_view) override {
    ++asked;
    return base::Error(base::ErrorCode::kInvalid, "spec breaks a rule of later");
  }
  int asked = 0;
};

// Every ten seconds, as the manager does.
void LookFor(ManagedPool& w, Strays& strays, std::chrono::seconds time) {
  for (auto left = time; left > std::chrono::seconds(0); left -= std::chrono::seconds(10)) {
    w.pool.clock().Advance(std::min(left, std::chrono::seconds(10)));
    Look(w.pool.world(), strays, {"d"});
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
  Look(world, strays, {"d"});
  LookFor(w, strays, std::chrono::seconds(59));
  CHECK(Now(world, "stray").status.phase == OperationPhase::kPending);
  w.pool.clock().Advance(Strays::kMissingFor);
  Look(world, strays, {"d"});  // the first for long: it may have been there
  CHECK(Now(world, "stray").status.phase == OperationPhase::kPending);
  Look(world, strays, {"d", "none"});  // it came after all
  Look(world, strays, {"d"});
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
  Look(world, strays, {"d"});
  LookFor(w, strays, Strays::kMissingFor);
  CHECK(Now(world, "begun").status.result == base::Name(base::ErrorCode::kInDoubt));
  HSMOperation again = Asked(world, "again", "none");  // its manager died in it
  again.status.steps.push_back({"wipe", cluster::StepState::kFailed, {}, {}, ""});
  REQUIRE(cluster::SaveStatus(world.resources, again).ok());
  Cancel(world, "again");
  Look(world, strays, {"d"});
  CHECK(Now(world, "again").status.result == base::Name(base::ErrorCode::kInDoubt));
  HSMOperation brief = Asked(world, "brief", "none");
  brief.spec.ttl_seconds_after_finished = std::chrono::seconds(10);
  REQUIRE(cluster::Save(world.resources, brief).ok());
  Cancel(world, "brief");
  Look(world, strays, {"d"});
  CHECK(Now(world, "brief").status.phase == OperationPhase::kCancelled);
  w.pool.clock().Advance(std::chrono::seconds(11));
  Collect(world, "default", [] { return true; });
  CHECK(cluster::Load<HSMOperation>(world.resources, "default", "brief")
            .Is(base::ErrorCode::kNotFound));
}

TEST_CASE("a device that a list lacks and that is there all the same is not gone") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Strays strays;
  (void)Asked(world, "own", "d");
  for (int look = 0; look < 10; ++look) {
    Look(world, strays, {});  // as a watch that is late has it
    w.pool.clock().Advance(std::chrono::seconds(10));
  }
  CHECK_FALSE(Now(world, "own").Finished());
}

TEST_CASE("who looks after stray operations stops when it is told to, and ends a few at once") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Strays strays;
  const int most = Strays::kAtOnce;
  for (int i = 0; i < most + 5; ++i) {
    (void)Asked(world, fmt::format("stray-{}", i), "none");
    Cancel(world, fmt::format("stray-{}", i));
  }
  const auto ended = [&] {
    int count = 0;
    for (int i = 0; i < most + 5; ++i)
      count += Now(world, fmt::format("stray-{}", i)).Finished() ? 1 : 0;
    return count;
  };
  int asked = 0;
  strays.Look(world, "default", {"d"}, [&] { return ++asked <= 3; });
  CHECK(ended() == 3);
  Look(world, strays, {"d"});
  CHECK(ended() == 3 + most);
}

TEST_CASE("what says what no operation may ends, and says why") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  AskBadly(world, Asked(world, "good", "d"));
  Strays strays;
  Look(world, strays, {"d"});
  const auto shown = world.resources.Get(cluster::Kind::kHsmOperation, "default", "bad");
  REQUIRE(shown.ok());
  const nlohmann::json& status = shown->document().at("status");
  CHECK(status.at("phase") == "Failed");
  CHECK(status.at("result") == base::Name(base::ErrorCode::kInvalid));
  CHECK(status.at("message").get<std::string>().find("Sing") != std::string::npos);
  CHECK(Now(world, "good").status.phase == OperationPhase::kPending);
  const std::string version = shown->version();
  Look(world, strays, {"d"});  // and is not written again
  CHECK(world.resources.Get(cluster::Kind::kHsmOperation, "default", "bad")->version() == version);
}

TEST_CASE("what the store refuses to hear of is not told again and again") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  AskBadly(world, Asked(world, "good", "d"));
  Refusing resources(world.resources);
  World over = WorldOver(world, resources);
  Strays strays;
  for (int look = 0; look < 3; ++look) Look(over, strays, {"d"});
  CHECK(resources.asked == 1);
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
