// Operations that cannot be read for a while are begun again, or ended, when they can.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/taking_over.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// A store whose operations cannot be read for a while.
class Hiccup : public PassingStore {
 public:
  using PassingStore::PassingStore;
  Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                              std::string_view name) override {
    if (gets_fail && kind == cluster::Kind::kHsmOperation)
      return Error(ErrorCode::kUnavailable, "no answer in time");
    return PassingStore::Get(kind, ns, name);
  }
  Result<cluster::ObjectList> List(cluster::Kind kind, std::string_view ns) override {
    if (lists_fail && kind == cluster::Kind::kHsmOperation)
      return Error(ErrorCode::kUnavailable, why);
    return PassingStore::List(kind, ns);
  }
  Result<cluster::Object> UpdateStatus(const cluster::Object& object,
                                       std::string_view expected) override {
    if (object.key().kind != cluster::Kind::kHsmOperation)
      return PassingStore::UpdateStatus(object, expected);
    if (refused.contains(object.key().name))
      return Error(refused_by, "spec breaks a rule of later");
    if (ends_fail && object.document().at("status").contains("completedAt"))
      return Error(ErrorCode::kUnavailable, "no answer in time");
    auto stored = PassingStore::UpdateStatus(object, expected);
    if (answers_lost) return Error(ErrorCode::kInDoubt, "the answer was lost");
    return stored;
  }
  std::set<std::string> refused;  // of these no status is stored
  ErrorCode refused_by = ErrorCode::kInvalid;
  bool gets_fail = false;
  bool lists_fail = false;
  bool ends_fail = false;     // an operation's end cannot be written
  bool answers_lost = false;  // what is written takes effect, and nobody hears of it
  std::string why = "no answer in time";
};

// Enough for whatever is left to be ended, of a leader whose Primary keeps its grant.
void GrantedTurns(ManagedPool& w, Controller& leader) {
  for (int turn = 0; turn < 20; ++turn) {
    w.Grant();
    w.TurnsOf(leader, 1);
  }
}

// A Sync, whose leader dies in it.
void LeaveRunning(ManagedPool& w, const char* name) {
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  w.pool.Ask(name, sync);
  REQUIRE(OperationLog::Take(*w.pool.Open(), w.pool.Operation(name)).ok());
}

}  // namespace

TEST_CASE("what a dead leader left Running is begun again once it can be read") {
  ManagedPool w({"a", "b"});
  LeaveRunning(w, "left");
  Hiccup resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  Controller next(world, "default", "d");
  resources.lists_fail = true;
  w.TurnsOf(next, 1);
  resources.lists_fail = false;
  GrantedTurns(w, next);
  CHECK(w.pool.Operation("left").Finished());
}

TEST_CASE("a verification ends also where its operation could not be read once") {
  ManagedPool w({"a", "b"});
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  sync.full = true;
  w.pool.Ask("full", sync);
  Hiccup resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  Controller leader(world, "default", "d");
  w.Grant();
  w.TurnsOf(leader, 1);  // begins
  REQUIRE(w.pool.Operation("full").status.phase == cluster::OperationPhase::kRunning);
  resources.gets_fail = true;
  w.Grant();
  w.TurnsOf(leader, 1);
  resources.gets_fail = false;
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation("full").Finished());
}

TEST_CASE("what the leader took is carried out also where the answer to that was lost") {
  ManagedPool w({"a", "b"});
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  w.pool.Ask("taken", sync);
  Hiccup resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  Controller leader(world, "default", "d");
  resources.answers_lost = true;
  w.Grant();
  w.TurnsOf(leader, 1);
  resources.answers_lost = false;
  REQUIRE(w.pool.Operation("taken").status.phase == cluster::OperationPhase::kRunning);
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation("taken").Finished());
}

TEST_CASE("an end that could not be written once is written later, by the same leader") {
  for (const auto type : {cluster::OperationType::kSync, cluster::OperationType::kPromote}) {
    ManagedPool w({"a", "b"});
    cluster::HSMOperationSpec spec;
    spec.type = type;
    if (type == cluster::OperationType::kPromote) spec.target_node = "b";
    w.pool.Ask("done", spec);
    Hiccup resources(w.pool.world().resources);
    World world = WorldOver(w.pool.world(), resources);
    Controller leader(world, "default", "d");
    resources.ends_fail = true;
    w.Grant();
    w.TurnsOf(leader, 1);
    resources.ends_fail = false;
    REQUIRE(w.pool.Operation("done").status.phase == cluster::OperationPhase::kRunning);
    GrantedTurns(w, leader);
    CHECK(w.pool.Operation("done").Finished());
    if (type == cluster::OperationType::kPromote) CHECK(w.pool.holder() == "b");
  }
}

TEST_CASE("a failover ends also where its operation could not be read once") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Hiccup resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  for (const char* node : {"b", "c"})  // so that it is past P2 and not at its end
    w.pool.token(node).SetMaxObjects(w.pool.token(node).object_count());
  w.pool.Reach("a", Reached::kNo);
  Controller leader(world, "default", "d");
  while (w.pool.Open()->arbiter().phase == cluster::ArbiterPhase::kNormal) w.TurnsOf(leader, 1);
  const std::string its = w.pool.Open()->arbiter().operation_id;
  for (const char* node : {"b", "c"}) w.pool.token(node).SetMaxObjects(1000);
  resources.gets_fail = true;
  w.TurnsOf(leader, 1);
  REQUIRE_FALSE(w.pool.holder().empty());  // it is made
  resources.gets_fail = false;
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation(its).Finished());
}

// protocol.md, 5: never foreign error text in an Event.
TEST_CASE("what another server said of an error stands in no Event") {
  ManagedPool w({"a", "b"});
  Hiccup resources(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), resources);
  resources.why = "the proxy said: X-Debug-Token=s3cr3t";
  resources.lists_fail = true;
  Controller leader(world, "default", "d");
  w.TurnsOf(leader, 2);
  const auto events = cluster::LoadAll<cluster::Event>(w.pool.world().resources, "default");
  REQUIRE(events.ok());
  for (const cluster::Event& event : events->items) {
    CAPTURE(event.reason);
    CAPTURE(event.note);
    CHECK(event.note.find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE("an operation of which the store refuses every status keeps no other waiting") {
  ManagedPool w({"a", "b"});
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  w.pool.Ask("broken", sync);
  w.pool.clock().Advance(std::chrono::seconds(1));
  w.pool.Ask("cancelled", sync);
  auto cancelled = w.pool.Operation("cancelled");
  cancelled.spec.cancel = true;
  REQUIRE(cluster::Save(w.pool.world().resources, cancelled).ok());
  w.pool.clock().Advance(std::chrono::seconds(1));
  w.pool.Ask("good", sync);
  Hiccup resources(w.pool.world().resources);
  resources.refused = {"broken", "cancelled"};
  SUBCASE("a rule of later") {}
  SUBCASE("somebody forbids it") { resources.refused_by = ErrorCode::kAuthFailed; }
  World world = WorldOver(w.pool.world(), resources);
  Controller leader(world, "default", "d");
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation("good").status.phase == cluster::OperationPhase::kSucceeded);
  CHECK(w.pool.Operation("broken").status.phase == cluster::OperationPhase::kPending);
  const auto findings = w.pool.Open()->device().status.findings;
  CHECK(std::ranges::any_of(findings, [](const cluster::Finding& finding) {
    return finding.message.find("a rule of later") != std::string::npos;
  }));
}

TEST_CASE("one that is left Running and that the store refuses to change keeps no other so") {
  ManagedPool w({"a", "b"});
  for (const char* const name : {"broken", "left"}) {
    LeaveRunning(w, name);
    w.pool.clock().Advance(std::chrono::seconds(1));
  }
  Hiccup resources(w.pool.world().resources);
  resources.refused = {"broken"};
  World world = WorldOver(w.pool.world(), resources);
  Controller leader(world, "default", "d");
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation("left").Finished());
  cluster::HSMOperationSpec verify;
  verify.type = cluster::OperationType::kVerify;
  w.pool.Ask("verify", verify);
  GrantedTurns(w, leader);
  CHECK(w.pool.Operation("verify").Finished());
}

TEST_CASE("an operation is not ended by what the history says of one of its name before it") {
  ManagedPool w({"a", "b"});
  cluster::HSMOperationSpec promote;
  promote.type = cluster::OperationType::kPromote;
  promote.target_node = "b";
  w.pool.Ask("nightly", promote);
  Controller leader(w.pool.world(), "default", "d");
  GrantedTurns(w, leader);
  REQUIRE(w.pool.holder() == "b");
  auto& resources = w.pool.world().resources;
  REQUIRE(resources.Delete(cluster::Kind::kHsmOperation, "default", "nightly", {}).ok());
  w.pool.clock().Advance(std::chrono::hours(24));
  promote.target_node = "a";
  w.pool.Ask("nightly", promote);
  auto pool = w.pool.Open();
  REQUIRE(OperationLog::Take(*pool, w.pool.Operation("nightly")).ok());  // its leader dies
  REQUIRE(TakeOver(*pool).ok());
  CHECK(w.pool.Operation("nightly").status.phase == cluster::OperationPhase::kPending);
}

}  // namespace hsmops::manager
