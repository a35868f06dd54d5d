// What may come in between while a Reinit is done beside the turns. Found by a review.
#include <thread>

#include "libhsmops/manager/next_operation.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/manager/taking_over.h"
#include "test/unit/manager/errand_scene.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using agent::Verb;
using cluster::OperationPhase;
using cluster::OperationType;

// What an errand reads of the store comes when the test says so; turns are not kept waiting.
class SlowBesideTurns : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    while (std::this_thread::get_id() != turns_ && held) poll(nullptr, 0, 1);
    return PassingStore::Get(kind, ns, name);
  }
  std::atomic<bool> held{true};

 private:
  const std::thread::id turns_ = std::this_thread::get_id();
};

}  // namespace

TEST_CASE("a promotion under way gets the answers of a member whose reinit has ended") {
  ErrandScene all(Verb::kReadInventory, 2);
  all.Begin();
  all.w.pool.Before(Verb::kFence, [&] { all.w.pool.Reach("b", Reached::kNo); });
  all.w.pool.Reach("a", Reached::kNo);
  REQUIRE(all.TurnsUntil([&] { return all.w.pool.holder().empty(); }));
  all.GoOn();
  REQUIRE(all.EndsBeside());
  CHECK(all.Moves("c"));
  CHECK(all.w.Seen("c", "app") == "1");
}

TEST_CASE("one that ended while its leader rested is over for the next promotion") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  all.leader.Rest();
  all.GoOn();
  REQUIRE(all.EndsBeside());
  REQUIRE(all.w.pool.Open()->SyncSetNodes().size() == 2);
  all.w.pool.Reach("a", Reached::kNo);
  all.BeginPromotion("b");
  CHECK(all.Moves("b"));
}

TEST_CASE("a member counts as before until it has left the sync set") {
  {
    ErrandScene all(Verb::kReadInventory);
    all.Begin();
    CHECK(all.StatusOf("c").available);
    all.w.pool.Reach("a", Reached::kNo);
    CHECK(all.Moves("b"));
  }
  ErrandScene all(Verb::kReadInventory, 2);
  all.Begin();
  all.w.pool.Reach("c", Reached::kNo);
  all.Turns(20);
  CHECK(all.w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
}

TEST_CASE("a reinit ends well from the next Primary, whenever the one before dies") {
  for (const Verb held : {Verb::kInitialize, Verb::kApply}) {
    for (const bool ends_first : {false, true}) {
      CAPTURE(ends_first);
      ErrandScene all(held);
      all.Begin();
      all.w.pool.Reach("a", Reached::kNo);
      if (ends_first) all.GoOn();
      CHECK(all.Moves("b"));
      all.GoOn();
      CHECK(all.TurnsUntil([&] { return all.Ended(); }));
      const auto wipe = all.w.pool.Operation("wipe");
      CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
    }
  }
}

TEST_CASE("one that was not on record comes onto it, also where R is another by then") {
  ErrandScene all(Verb::kInitialize);
  REQUIRE(ChangeSyncSet(*all.w.pool.Open(), {"b"}).ok());
  all.w.Grant();
  auto pool = all.w.pool.Open();
  cluster::Arbiter next = pool->arbiter();
  next.members.erase(pool->UidTextOf("c"));
  ++next.generation;
  REQUIRE(pool->Swap(next).ok());
  all.Begin();
  all.w.pool.EditFailover(
      [](cluster::FailoverSpec& f) { f.grant_duration = std::chrono::seconds(12); });
  all.Turns(5);
  all.GoOn();
  REQUIRE(all.TurnsUntil([&] { return all.Ended(); }));
  const auto wipe = all.w.pool.Operation("wipe");
  CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
  CHECK(all.w.pool.Open()->OnRecord("c"));
}

TEST_CASE("what another began again unseen, and did not end, is begun again once more") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  auto other = all.w.pool.Open();
  REQUIRE(TakeOver(*other).ok());
  all.w.pool.clock().Advance(std::chrono::seconds(1));
  const auto again = BeginNext(*other);
  REQUIRE((again.ok() && *again));
  all.Turns(3);
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
}

TEST_CASE("what begins tomorrow does not wait for what is under way today") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  auto later = SpecOf(OperationType::kPromote, "b");
  later.not_before = all.w.pool.clock().Wall() + std::chrono::hours(24);
  all.w.pool.Ask("tomorrow", later);
  all.Turns(3);
  CHECK(all.w.pool.Operation("tomorrow").status.message.empty());
}

TEST_CASE("a reinit that names the Primary leaves it the Primary that it is") {
  ManagedPool w({"a", "b", "c"});
  SlowBesideTurns store(w.pool.world().resources);
  base::ThreadExecutor executor;
  World& inner = w.pool.world();
  World world{store, inner.clock, inner.rng, executor, inner.make_member};
  Controller leader(world, "default", "d");
  w.TurnsOf(leader, 3);
  w.pool.Ask("wipe", SpecOf(OperationType::kReinit, "a"));
  for (int i = 0; i < 5; ++i) {
    w.Grant();
    w.TurnsOf(leader, 1);
  }
  CHECK(w.pool.Open()->device().status.devices.front().available);
  w.pool.Reach("a", Reached::kNo);
  w.TurnsOf(leader, 30);
  CHECK(w.pool.holder() != "a");
  store.held = false;
}

TEST_CASE("a member that another leader made the Primary is watched as one") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  all.leader.Rest();
  {
    Controller other(all.w.pool.world(), "default", "d");
    for (int i = 0; i < 30 && !all.Ended(); ++i) all.TurnsOf(other, 1);
    REQUIRE(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
    all.w.pool.Ask("promote", SpecOf(OperationType::kPromote, "c"));
    for (int i = 0; i < 30 && all.w.pool.holder() != "c"; ++i) all.TurnsOf(other, 1);
    all.TurnsOf(other, 10);
    REQUIRE(all.w.pool.holder() == "c");
  }
  all.Turns(3);
  CHECK(all.StatusOf("c").available);
  all.w.pool.Reach("c", Reached::kNo);
  CHECK(all.TurnsUntil([&] { return !all.w.pool.holder().empty() && all.w.pool.holder() != "c"; }));
}

TEST_CASE("the grants of a reinit are of the policy that the device has by then") {
  ErrandScene all(Verb::kApply);
  all.Begin();
  all.w.EditMirroring(
      [](cluster::MirroringSpec& m) { m.policy = cluster::MirroringPolicy::kActive; });
  all.Turns(5);
  all.w.Grant();
  all.GoOn();
  REQUIRE(all.EndsBeside());
  REQUIRE(all.w.pool.Open()->SyncSetNodes().size() == 2);
  all.w.pool.SetApartFrom("b");
  CHECK_FALSE(all.w.Put("a", "app", "2").ok());
}

TEST_CASE("a reinit that waits for a Primary ends with its process") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  all.BeginPromotion("b");
  all.GoOn();
  poll(nullptr, 0, 20);
  CHECK_FALSE(all.Ended());
  all.held.ends = true;
  CHECK(all.EndsBeside());
  CHECK(all.w.pool.Operation("wipe").status.result == base::Name(base::ErrorCode::kInDoubt));
}

}  // namespace hsmops::manager
