// What must not stand still for ever, and the way out where it does.
#include <doctest/doctest.h>

#include <algorithm>

#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/reader.h"
#include "libhsmops/manager/sync.h"
#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;

std::size_t ItemsOn(ManagedPool& w, const std::string& node) {
  const auto inventory = w.pool.member(node).ReadInventory(std::bitset<store::kBuckets>().set());
  REQUIRE(inventory.ok());
  return inventory->items.size();
}

// From now on it takes no object more.
void Fill(ManagedPool& w, const std::string& node) {
  w.pool.token(node).SetMaxObjects(w.pool.token(node).object_count());
}

// A change of R by somebody else.
void BumpGeneration(ManagedPool& w) {
  const auto other = w.pool.Open();
  cluster::Arbiter next = other->arbiter();
  ++next.generation;
  REQUIRE(other->Swap(next).ok());
}

// a is gone, b alone may be promoted and takes nothing, and its promotion is past P2. c is there
// and was not in the sync set.
void GetStuckAtB(ManagedPool& w, Controller& controller) {
  w.pool.Reach("c", Reached::kNo);
  w.Turns(20);
  REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  REQUIRE(w.Put("a", "app", "1").ok());  // which c never gets
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("c", Reached::kYes);
  Fill(w, "b");
  while (w.pool.Open()->arbiter().phase == cluster::ArbiterPhase::kNormal) w.TurnsOf(controller, 1);
}

}  // namespace

TEST_CASE("a node that was taken out of the spec leaves the sync set") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  w.Turns(10);
  CHECK(w.pool.Open()->Recorded().strangers_in_sync_set == 0);
  REQUIRE(w.Put("a", "app", "").ok());
  w.Turns(10);
  CHECK(Sync(*w.pool.Open(), {}, nullptr).ok());
  CHECK(ItemsOn(w, "a") == 0);  // its tombstone was collected
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 60);
  CHECK(w.pool.holder() == "b");
}

TEST_CASE("with policy Active a node that was taken out of the spec stops no writes") {
  ManagedPool w({"a", "b", "c"});
  w.EditMirroring([](cluster::MirroringSpec& m) { m.policy = cluster::MirroringPolicy::kActive; });
  w.Turns(4);
  REQUIRE(w.Put("a", "app", "1").ok());
  w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  w.Turns(10);
  const auto put = w.Put("a", "app", "2");
  CHECK_MESSAGE(put.ok(), put.error().message());
}

TEST_CASE(
    "a Primary that was damaged before its first grant is promoted anew, for who accepts that") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  REQUIRE(w.Put("a", "big", std::string(3000, 'x')).ok());
  bool came = false;
  w.pool.Before(agent::Verb::kFreeze, [&] {
    w.pool.Before(agent::Verb::kReadInventory, [&] {
      came = true;
      for (const std::string& label : w.pool.token("b").Labels()) {
        if (label.starts_with("k1.p.") && label.ends_with(".0"))
          w.pool.token("b").Corrupt(label, 5);
      }
      (void)Read(*w.pool.Open(), *store::SecretName::Parse("big"));  // it finds the damage
    });
  });
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 60);
  CHECK(came);
  REQUIRE_FALSE(w.pool.member("b").Status(true)->gate_open);
  const auto forced = w.ForceTo("b");
  CHECK_MESSAGE(forced.ok(), forced.error().message());
  const auto put = w.Put("b", "app", "2");
  CHECK_MESSAGE((put.ok() || put.Is(ErrorCode::kInDoubt)), put.error().message());
}

TEST_CASE("a change of S that met a renewal is made all the same") {
  for (const bool active : {false, true}) {
    ManagedPool w(active ? std::vector<std::string>{"a", "b", "c"}
                         : std::vector<std::string>{"a", "b"});
    if (active)
      w.EditMirroring(
          [](cluster::MirroringSpec& m) { m.policy = cluster::MirroringPolicy::kActive; });
    const std::string comes = active ? "c" : "b";
    w.Turns(4);
    REQUIRE(w.Put("a", "app", "1").ok());
    w.pool.Reach(comes, Reached::kNo);
    w.Turns(20);
    REQUIRE(w.Put("a", "app", "2").ok());
    w.pool.Reach(comes, Reached::kYes);
    w.pool.Before(agent::Verb::kPrepare, [&] { w.Grant(); });  // by another replica
    w.Turns(1);
    w.pool.Reach(comes, Reached::kNo);
    w.Turns(20);
    const auto put = w.Put("a", "app", "3");
    CHECK_MESSAGE(put.ok(), put.error().message());
  }
}

TEST_CASE("a change of S goes on over what others renew, and over nothing else that they change") {
  ManagedPool w({"a", "b"});
  auto pool = w.pool.Open();
  SUBCASE("since R was read") { w.Grant(); }
  SUBCASE("while the Primary prepares") {
    w.pool.Before(agent::Verb::kPrepare, [&] { w.Grant(); });
  }
  SUBCASE("a generation") {
    BumpGeneration(w);
    CHECK(ChangeSyncSet(*pool, {}).Is(ErrorCode::kConflict));
    return;
  }
  const auto changed = ChangeSyncSet(*pool, {});
  CHECK_MESSAGE(changed.ok(), changed.error().message());
  CHECK(w.pool.Open()->SyncSetNodes().empty());
}

TEST_CASE("what a leader has prepared and not swapped does not bind the Primary for ever") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("b", Reached::kNo);
  w.Turns(20);
  REQUIRE(w.pool.Open()->SyncSetNodes().empty());
  REQUIRE(w.Put("a", "app", "2").ok());
  w.pool.Reach("b", Reached::kYes);
  {
    auto dies = w.pool.Open();
    cluster::Arbiter next = dies->arbiter();
    next.sync_set = {dies->UidTextOf("b")};
    const mirror::SyncRule rule = dies->RuleOf(next);
    REQUIRE(dies->At("a").Prepare(dies->term(), rule, dies->PeersOf(rule)).ok());
  }
  w.pool.Reach("b", Reached::kNo);
  w.Turns(20);
  const auto put = w.Put("a", "app", "3");
  CHECK_MESSAGE(put.ok(), put.error().message());
}

TEST_CASE("a target that cannot take what it has to is given up for another") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Fill(w, "b");
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 40);
  CHECK(w.pool.holder() == "c");
  w.Grant();
  CHECK(w.Seen("c", "app") == "1");
}

TEST_CASE("a failover to another target goes on in the stead of a promotion that cannot end") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Fill(w, "b");
  Fill(w, "c");
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 40);
  REQUIRE(w.pool.holder().empty());
  w.pool.token("c").SetMaxObjects(1000);
  w.pool.Ask("other", FailoverTo("c"));
  w.TurnsOf(controller, 2);
  CHECK(w.pool.holder() == "c");
  // What was tried again and again is told once for each target.
  int failed = 0;
  const auto opened = w.pool.Open();
  for (const auto& entry : opened->device().status.history)
    failed += entry.outcome == cluster::kFailedOutcome ? 1 : 0;
  CHECK(failed <= 2);
}

TEST_CASE("where none of the others may be promoted, the target that failed once is tried again") {
  ManagedPool w({"a", "b", "c"});
  Controller controller(w.pool.world(), "default", "d");
  GetStuckAtB(w, controller);
  SUBCASE("by itself") {}
  SUBCASE("also after a failover to one that may not be was refused") {
    w.pool.Ask("mistake", FailoverTo("c"));
    w.TurnsOf(controller, 1);
  }
  const std::string first = w.pool.Open()->arbiter().operation_id;
  w.pool.token("b").SetMaxObjects(1000);
  w.TurnsOf(controller, 6);
  CHECK(w.pool.holder() == "b");
  const auto its = cluster::Load<cluster::HSMOperation>(w.pool.world().resources, "default", first);
  REQUIRE(its.ok());
  CHECK(its->status.phase == cluster::OperationPhase::kSucceeded);
  w.Grant();
  CHECK(w.Seen("b", "app") == "1");
}

TEST_CASE("another target is one that the rules let be promoted, whoever is preferred") {
  ManagedPool w({"a", "b", "c", "d"});
  w.pool.EditFailover([](cluster::FailoverSpec& f) { f.priorities = {{"c", 10}, {"b", 5}}; });
  w.pool.Reach("c", Reached::kNo);
  w.Turns(20);
  REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b", "d"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("c", Reached::kYes);
  Fill(w, "b");
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 40);
  CHECK(w.pool.holder() == "d");
}

TEST_CASE("a pause does not stop a promotion that is past P2") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Fill(w, "b");
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  while (w.pool.Open()->arbiter().phase == cluster::ArbiterPhase::kNormal) w.TurnsOf(controller, 1);
  const base::WallTime until = w.pool.clock().Wall() + std::chrono::hours(8);
  REQUIRE(w.pool.Open()
              ->UpdateStatus([&](cluster::HSMDeviceStatus& status) {
                status.paused = cluster::PausedStatus{"somebody", "work", std::nullopt, until};
              })
              .ok());
  w.pool.token("b").SetMaxObjects(1000);
  w.TurnsOf(controller, 6);
  CHECK(w.pool.holder() == "b");
}

TEST_CASE("a mirror that was filled again by another way comes back into the sync set") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Fill(w, "b");
  CHECK_FALSE(w.Put("a", "app", "2").ok());
  Controller controller(w.pool.world(), "default", "d");
  for (int turn = 0; turn < 10; ++turn) {
    w.Grant();
    w.TurnsOf(controller, 1);
  }
  REQUIRE(w.pool.Open()->SyncSetNodes().empty());
  w.pool.token("b").SetMaxObjects(1000);
  w.Grant();
  REQUIRE(Sync(*w.pool.Open(), {}, nullptr).ok());
  for (int turn = 0; turn < 4; ++turn) {
    w.Grant();
    w.TurnsOf(controller, 1);
  }
  CHECK(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
}

TEST_CASE("a mirror that is dead leaves the sync set together with a node that is none any more") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("b", Reached::kNo);
  w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  w.Turns(20);
  const auto put = w.Put("a", "app", "2");
  CHECK_MESSAGE(put.ok(), put.error().message());
}

TEST_CASE(
    "a dead mirror leaves the sync set also where who stays lacks more than a catch-up takes") {
  ManagedPool w({"a", "b", "c"});
  for (const char* node : {"a", "b", "c"}) w.pool.token(node).SetMaxObjects(10'000);
  REQUIRE(w.Put("a", "app", "1").ok());
  Controller controller(w.pool.world(), "default", "d");
  const auto turn = [&] {
    w.Grant();
    w.TurnsOf(controller, 1);
  };
  turn();
  w.pool.Reach("c", Reached::kNo);
  turn();
  turn();
  REQUIRE(w.pool.Open()->SyncSetNodes().size() == 2);
  // Then b misses much before c has failed once too often.
  w.pool.SetApart(true);
  w.Grant();
  mirror::Member& primary = w.pool.member("a");
  for (std::size_t i = 0; i <= mirror::kCatchUpSteps; i += mirror::kMaxPut) {
    std::vector<store::Write> writes;
    for (std::size_t j = i; j < i + mirror::kMaxPut; ++j) {
      const std::string name = "many-" + std::to_string(j);
      auto one = WriteOf(name.c_str(), "1", 0);
      one[0].op_id = {1, static_cast<std::uint8_t>(j), static_cast<std::uint8_t>(j / 256)};
      writes.push_back(std::move(one[0]));
    }
    REQUIRE(primary.Put(primary.TakePulse()->stamp, std::move(writes)).ok());
  }
  w.pool.SetApart(false);
  for (int i = 0; i < 8; ++i) turn();
  const auto put = w.Put("a", "app", "2");
  CHECK_MESSAGE(put.ok(), put.error().message());
  CHECK(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
}

TEST_CASE("what a change of S cannot do is in the device's status all the same") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("b", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  for (int turn = 0; turn < 20; ++turn) {
    if (turn == 10) w.pool.Reach("c", Reached::kNo);
    w.pool.Before(agent::Verb::kPrepare, [&] { BumpGeneration(w); });
    w.Grant();
    w.TurnsOf(controller, 1);
  }
  REQUIRE(w.pool.Open()->SyncSetNodes().size() == 2);  // it was in vain
  const auto device = w.pool.Open();
  const auto& devices = device->device().status.devices;
  const auto c = std::ranges::find(devices, "c", &cluster::DeviceStatus::node_name);
  REQUIRE(c != devices.end());
  CHECK(c->health == "Unknown");
}

TEST_CASE("a mirror that answers and takes nothing leaves the sync set") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  Fill(w, "b");
  CHECK_FALSE(w.Put("a", "app", "2").ok());
  w.Turns(20);
  const auto put = w.Put("a", "app", "3");
  CHECK_MESSAGE(put.ok(), put.error().message());
}

TEST_CASE("an ack is taken although the last failover is told to be of the future") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.pool.Open()
              ->UpdateStatus([&](cluster::HSMDeviceStatus& status) {
                cluster::HistoryEntry entry;
                entry.time = w.pool.clock().Wall() + std::chrono::hours(24);  // of a clock ahead
                entry.type = cluster::kUnplanned;
                entry.outcome = "Succeeded";
                status.Remember(entry);
              })
              .ok());
  cluster::HSMOperationSpec ack;
  ack.type = cluster::OperationType::kAck;
  w.pool.Ask("ack", ack);
  w.Turns(2);
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 60);
  CHECK(w.pool.holder() == "b");
}

TEST_CASE("what is in doubt and nobody sends again is settled by who reads it") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.SetApart(true);
  CHECK(w.Put("a", "app", "2").Is(ErrorCode::kInDoubt));
  CHECK(w.Seen("a", "app").starts_with("error: "));
  w.pool.SetApart(false);
  w.Turns(10);
  CHECK(w.Seen("a", "app") == "2");
  const auto served = Read(*w.pool.Open(), *store::SecretName::Parse("app"));
  REQUIRE(served.ok());
  CHECK(served->by_primary);
}

TEST_CASE("a deletion that too few hold is not told as certain") {
  ManagedPool w({"a", "b", "c"});
  w.EditMirroring([](cluster::MirroringSpec& m) { m.min_sync_mirrors = 2; });
  w.Turns(4);
  REQUIRE(w.pool.Open()->arbiter().k == 2);
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("c", Reached::kNo);
  CHECK(w.Put("a", "app", "").Is(ErrorCode::kInDoubt));  // on a and b
  w.pool.Reach("c", Reached::kYes);
  w.pool.Reach("a", Reached::kNo);
  const auto served = Read(*w.pool.Open(), *store::SecretName::Parse("app"));
  REQUIRE(served.ok());
  CHECK_FALSE(served->secret);
  CHECK_FALSE(served->certain);
}

TEST_CASE("a mirror that the Primary cannot reach keeps no other one out of the sync set") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  for (const char* node : {"b", "c"}) w.pool.Reach(node, Reached::kNo);
  w.Turns(20);
  REQUIRE(w.pool.Open()->SyncSetNodes().empty());
  REQUIRE(w.Put("a", "app", "2").ok());  // Available: on a alone
  w.pool.SetApartFrom(std::string("b"));
  for (const char* node : {"b", "c"}) w.pool.Reach(node, Reached::kYes);
  Controller controller(w.pool.world(), "default", "d");
  int turns = 0;
  SUBCASE("at once") { turns = 4; }
  SUBCASE("and not in turns") { turns = 40; }
  for (int turn = 0; turn < turns; ++turn) {
    w.Grant();
    w.TurnsOf(controller, 1);
  }
  CHECK(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"c"});
}

TEST_CASE("a forced failover whose leader dies before its P2 is begun again") {
  ManagedPool w({"a", "b", "c"});
  Controller controller(w.pool.world(), "default", "d");
  GetStuckAtB(w, controller);
  const std::string first = w.pool.Open()->arbiter().operation_id;
  w.pool.Reach("b", Reached::kNo);  // for good
  w.TurnsOf(controller, 4);
  REQUIRE(w.pool.holder().empty());
  w.pool.Ask("forced", FailoverTo("c", true));
  const auto load = [&](const std::string& name) {
    return *cluster::Load<cluster::HSMOperation>(w.pool.world().resources, "default", name);
  };
  REQUIRE(OperationLog::Take(*w.pool.Open(), load("forced")).ok());  // whose leader dies then
  Controller next(w.pool.world(), "default", "d");
  w.TurnsOf(next, 20);
  CHECK_MESSAGE(load("forced").status.result == "Done", load("forced").status.message);
  CHECK(load(first).status.result == kSuperseded);
  CHECK(w.pool.holder() == "c");
}

TEST_CASE("what reads everything again is carried out to its end, beside the turns") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", std::string(3000, 'x')).ok());
  for (const std::string& label : w.pool.token("b").Labels()) {
    if (label.starts_with("k1.p.") && label.ends_with(".0")) w.pool.token("b").Corrupt(label, 5);
  }
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  sync.full = true;
  w.pool.Ask("full", sync);
  const auto result = [&] {
    return cluster::Load<cluster::HSMOperation>(w.pool.world().resources, "default", "full")
        ->status.result;
  };
  SUBCASE("") {}
  SUBCASE("also by the next leader") {
    Controller dies(w.pool.world(), "default", "d");
    w.TurnsOf(dies, 1);
    CHECK(result().empty());
  }
  Controller controller(w.pool.world(), "default", "d");
  for (int turn = 0; turn < 3; ++turn) {
    w.Grant();
    w.TurnsOf(controller, 1);
  }
  CHECK(result() == "Done");
  CHECK(w.pool.member("b").Status(true)->damaged == 0);
}

TEST_CASE("many deletions are collected a few at a time, with turns between") {
  ManagedPool w({"a", "b"});
  constexpr int kDeleted = 100;
  for (const std::string value : {"1", ""}) {
    for (int i = 0; i < kDeleted; ++i)
      REQUIRE(w.Put("a", ("gone-" + std::to_string(i)).c_str(), value).ok());
  }
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  w.pool.Ask("sync", sync);
  Controller controller(w.pool.world(), "default", "d");
  std::size_t before = kDeleted;
  for (int turn = 0; turn < 20 && ItemsOn(w, "a") > 0; ++turn) {
    w.Grant();
    w.TurnsOf(controller, 1);
    CHECK(before - ItemsOn(w, "a") <= 40);
    before = ItemsOn(w, "a");
  }
  CHECK(ItemsOn(w, "a") == 0);
  CHECK(ItemsOn(w, "b") == 0);
}

TEST_CASE("a promotion that was asked for before another one was made is not made after it") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  cluster::HSMOperationSpec promote;
  promote.type = cluster::OperationType::kPromote;
  promote.target_node = "c";
  w.pool.Ask("old", promote);
  w.pool.clock().Advance(std::chrono::seconds(17));
  promote.target_node = "b";
  w.pool.Ask("new", promote);
  PromotionOptions options;
  options.target = "b";
  options.operation = "new";  // by a command, which found nobody leading
  REQUIRE(Promote(*w.pool.Open(), options, kSilently).ok());
  w.Turns(4);
  CHECK(w.pool.holder() == "b");
  const auto old = cluster::Load<cluster::HSMOperation>(w.pool.world().resources, "default", "old");
  REQUIRE(old.ok());
  CHECK(old->status.result == base::Name(ErrorCode::kConflict));
}

TEST_CASE("a look amid writes does not take who was asked a moment later for one that differs") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  const auto between = [&] {
    w.pool.Before(agent::Verb::kStatus, [&] {
      w.pool.Before(agent::Verb::kStatus, [&] { REQUIRE(w.Put("a", "app", "2").ok()); });
    });
  };
  between();
  CHECK(EqualMirrors(w.pool.Open()->Observe(true)) == 0);
  between();
  CHECK(EqualMirrors(w.pool.Open()->ObserveAmidWrites()) == 1);
  // One that really differs is told.
  w.pool.SetApart(true);
  CHECK_FALSE(w.Put("a", "app", "3").ok());
  w.pool.SetApart(false);
  CHECK(EqualMirrors(w.pool.Open()->ObserveAmidWrites()) == 0);
}

TEST_CASE("a look amid writes asks a member that does not answer once, and sees the others equal") {
  ManagedPool w({"a", "b", "c"});
  w.pool.Reach("c", Reached::kNo);
  w.Turns(8);
  REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  w.pool.Before(agent::Verb::kStatus, [&] {
    w.pool.Before(agent::Verb::kStatus, [&] { REQUIRE(w.Put("a", "app", "2").ok()); });
  });
  const int before = w.pool.Asked("c");
  CHECK(EqualMirrors(w.pool.Open()->ObserveAmidWrites()) == 1);
  CHECK(w.pool.Asked("c") == before + 1);
}

TEST_CASE("a restore that is not answered keeps nobody else from being copied to") {
  ManagedPool w({"a", "b", "c"});
  w.EditMirroring([](cluster::MirroringSpec& m) { m.sync_interval = std::chrono::seconds(1); });
  w.Turns(10);
  w.pool.Reach("c", Reached::kNo);
  w.Turns(20);
  REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  REQUIRE(w.Put("a", "rotten", "1").ok());
  std::string head;
  for (const std::string& label : w.pool.token("a").Labels()) {
    if (label.starts_with("k1.h.")) head = label;
  }
  for (int i = 0; i < 20; ++i) REQUIRE(w.Put("a", fmt::format("app{}", i).c_str(), "1").ok());
  w.pool.token("a").Corrupt(head, 60);
  REQUIRE_FALSE(w.Seen("a", "rotten") == "1");
  w.pool.Deafen("a", {agent::Verb::kApply});
  w.pool.Reach("c", Reached::kYes);
  w.Turns(20);
  CHECK(w.pool.member("c").Status(false)->secrets >= 20);
}

}  // namespace hsmops::manager
