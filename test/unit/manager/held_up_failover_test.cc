// What must not hold up a failover: a member that cannot be read, and what was asked for. Found by
// a review.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/manager/operation_log.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using agent::Verb;
using base::Error;
using base::ErrorCode;
using std::chrono::seconds;

const std::set<Verb> kContent{Verb::kReadInventory, Verb::kDigest};

void GrantedTurns(ManagedPool& w, Controller& leader, int count) {
  for (int turn = 0; turn < count; ++turn) {
    w.Grant();
    w.TurnsOf(leader, 1);
  }
}

// b and c are in the sync set of a; `k`: minSyncMirrors.
struct InSync {
  explicit InSync(int k) {
    w.WriteMirroring("minSyncMirrors", k);
    GrantedTurns(w, leader, 20);
    REQUIRE(w.pool.Open()->SyncSetNodes().size() == 2);
  }
  ManagedPool w{{"a", "b", "c"}};
  Controller leader{w.pool.world(), "default", "d"};
};

// Turns until somebody else than `a` is the Primary; at most `most`.
int TurnsUntilMoved(ManagedPool& w, Controller& leader, int most) {
  int turns = 0;
  for (; turns < most; ++turns) {
    const std::string holder = w.pool.holder();
    if (!holder.empty() && holder != "a") break;
    w.TurnsOf(leader, 1);
  }
  return turns;
}

// "sync-0" and so on.
void AskForSyncs(ManagedPool& w, int count) {
  cluster::HSMOperationSpec sync;
  sync.type = cluster::OperationType::kSync;
  for (int i = 0; i < count; ++i) w.pool.Ask(fmt::format("sync-{}", i).c_str(), sync);
}

std::size_t OperationsIn(World& world) {
  return world.resources.List(cluster::Kind::kHsmOperation, "default")->items.size();
}

// A store in which the status of a device cannot be written.
class NoStatus : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> UpdateStatus(const cluster::Object& object,
                                             std::string_view expected) override {
    if (object.key().kind == cluster::Kind::kHsmDevice)
      return Error(ErrorCode::kAuthFailed, "no role allows that");
    return PassingStore::UpdateStatus(object, expected);
  }
};

}  // namespace

TEST_CASE("a member of the sync set that cannot be read does not count, and the others do") {
  for (const bool at_the_fence : {false, true}) {
    CAPTURE(at_the_fence);
    InSync all(2);
    ManagedPool& w = all.w;
    REQUIRE(w.Put("a", "app", "1").ok());
    w.pool.Reach("a", Reached::kNo);
    if (at_the_fence) {
      w.pool.Before(Verb::kFence, [&] { w.pool.Deafen("c", kContent); });
    } else {
      w.pool.Deafen("c", kContent);
    }
    CHECK(TurnsUntilMoved(w, all.leader, 40) < 40);
    CHECK(w.pool.holder() == "b");
    CHECK(w.Seen("b", "app") == "1");
  }
}

TEST_CASE(
    "a member whose records cannot be read does not count either, and is not asked for each") {
  constexpr int kAhead = 20;
  InSync all(2);
  ManagedPool& w = all.w;
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.SetApartFrom("b");
  for (int i = 0; i < kAhead; ++i)
    REQUIRE(w.Put("a", fmt::format("late-{}", i).c_str(), "2").Is(ErrorCode::kInDoubt));
  w.pool.SetApartFrom("");
  const auto ahead = w.pool.member("c").Status(false);
  REQUIRE(ahead.ok());
  CHECK(ahead->secrets == 1 + kAhead);
  w.pool.Reach("a", Reached::kNo);
  w.pool.Deafen("c", {Verb::kReadRecords});
  const int asked = w.pool.Asked("c");
  PromotionOptions options;
  options.purpose = failover::Purpose::kFailover;
  options.target = "b";
  const auto done = Promote(*w.pool.Open(), options, kSilently);
  REQUIRE_MESSAGE(done.ok(), done.error().message());
  CHECK(w.pool.Asked("c") - asked < kAhead);
  CHECK(done->merged == 0);
  CHECK(done->lost == "none");
  w.pool.Deafen("c", {});
  CHECK(w.pool.holder() == "b");
  CHECK(w.Seen("b", "app") == "1");
}

TEST_CASE("an answer that is lost gives up nothing of what somebody accepts to lose") {
  constexpr int kAlone = 20;
  InSync all(1);
  ManagedPool& w = all.w;
  w.pool.SetApartFrom("b");
  for (int i = 0; i < kAlone; ++i) REQUIRE(w.Put("a", fmt::format("c-{}", i).c_str(), "1").ok());
  w.pool.SetApartFrom("");
  w.pool.Reach("a", Reached::kNo);
  w.pool.Before(Verb::kReadRecords, [&] { w.pool.Deafen("c", {Verb::kReadRecords}); });
  const auto first = w.ForceTo("b");
  CHECK((first.Is(ErrorCode::kInDoubt) && w.pool.holder().empty()));
  w.pool.Deafen("c", {});
  const auto again = w.ForceTo("b");
  REQUIRE_MESSAGE(again.ok(), again.error().message());
  CHECK(w.Seen("b", "c-0") == "1");
  CHECK(w.pool.member("b").Status(false)->secrets == kAlone);
}

TEST_CASE("where too few of the sync set can be read nobody is promoted but by a person") {
  InSync all(1);
  ManagedPool& w = all.w;
  w.pool.Reach("a", Reached::kNo);
  w.pool.Deafen("c", kContent);
  CHECK(TurnsUntilMoved(w, all.leader, 20) == 20);
  CHECK(w.pool.holder() == "a");
  const auto forced = w.ForceTo("b");
  REQUIRE_MESSAGE(forced.ok(), forced.error().message());
  CHECK(forced->lost.starts_with("unknown"));
  CHECK(w.pool.holder() == "b");
}

TEST_CASE("a failover comes before what takes long, and the status is told meanwhile") {
  ManagedPool w({"a", "b", "c"});
  Controller leader(w.pool.world(), "default", "d");
  GrantedTurns(w, leader, 10);
  AskForSyncs(w, 60);
  w.pool.Reach("a", Reached::kNo);
  CHECK(TurnsUntilMoved(w, leader, 30) < 30);
}

TEST_CASE("where nothing can be promoted what was asked for is done, and the status says what is") {
  ManagedPool w({"a", "b", "c"});
  w.pool.EditFailover([](cluster::FailoverSpec& spec) { spec.mode = cluster::FailoverMode::kOff; });
  Controller leader(w.pool.world(), "default", "d");
  GrantedTurns(w, leader, 10);
  AskForSyncs(w, 60);
  w.pool.Reach("a", Reached::kNo);
  w.TurnsOf(leader, 10);
  CHECK(w.pool.Operation("sync-0").Finished());
  CHECK_FALSE(w.pool.Operation("sync-59").Finished());
  CHECK(w.pool.Open()->device().status.phase != cluster::DevicePhase::kReady);
}

TEST_CASE("a failover that cannot be begun is tried again ever more seldom") {
  ManagedPool w({"a", "b", "c"});
  NoStatus store(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), store);
  Controller leader(world, "default", "d");
  GrantedTurns(w, leader, 10);
  w.pool.Reach("a", Reached::kNo);
  const base::TimePoint until = w.pool.clock().Now() + std::chrono::minutes(10);
  while (w.pool.clock().Now() < until) {
    const Turned turned = leader.Turn();
    CHECK_FALSE(turned.acted);
    w.pool.clock().Advance(seconds(1));
  }
  CHECK(OperationsIn(world) > 5);
  CHECK(OperationsIn(world) < 60);
}

TEST_CASE("failovers that cannot be begun leave the history of the others as it is") {
  cluster::HSMDeviceStatus status;
  cluster::HistoryEntry entry;
  entry.type = "Promote";
  entry.outcome = "Succeeded";
  entry.to = "b";
  status.Remember(entry);
  entry.type = cluster::kUnplanned;
  entry.outcome = cluster::kAbortedOutcome;
  for (int i = 0; i < 40; ++i) status.Remember(entry);
  CHECK(status.history.size() == 2);
  CHECK(status.history.front().outcome == "Succeeded");
}

TEST_CASE("what says that it waits does not hold up a promotion under way") {
  ManagedPool w({"a", "b", "c"});
  World& world = w.pool.world();
  AskForSyncs(w, 30);
  for (int i = 0; i < 30; ++i) {
    cluster::HSMOperation one = w.pool.Operation(fmt::format("sync-{}", i));
    one.status.message = "it waits";
    REQUIRE(cluster::SaveStatus(world.resources, one).ok());
  }
  auto pool = w.pool.Open();
  REQUIRE(BeginNext(*pool, Wanted::kOtherFailover).ok());
  CHECK(w.pool.Operation("sync-0").status.message == "it waits");
  CHECK(w.pool.Operation("sync-29").status.message == "it waits");
  const auto begun = BeginNext(*pool);
  REQUIRE((begun.ok() && *begun));
  CHECK((*begun)->operation().status.message.empty());
}

}  // namespace hsmops::manager
