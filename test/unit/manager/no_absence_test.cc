// A device or a record that is gone is no secret that is gone.
#include <doctest/doctest.h>

#include "libhsmops/manager/front.h"
#include "libhsmops/manager/live_api.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;
using cluster::Kind;

const store::SecretName kDb = *store::SecretName::Parse("app/db");

void DeleteRecord(World& world) {
  REQUIRE(world.resources.Delete(Kind::kLease, "default", cluster::ArbiterName("d"), {}).ok());
}
void DeleteDevice(World& world) {
  REQUIRE(world.resources.Delete(Kind::kHsmDevice, "default", "d", {}).ok());
}

// A manager that answers every request so.
class Saying : public net::Transport {
 public:
  explicit Saying(int status) : status_(status) {}
  base::Result<net::Answer> Call(const net::Peer&, net::Request) override {
    net::Answer answer;
    answer.status = status_;
    return answer;
  }

 private:
  int status_;
};

// A store in which a watch of the record is late; what it is now is there for who asks.
class LateStore : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> Get(Kind kind, std::string_view ns,
                                    std::string_view name) override {
    return kind == Kind::kLease && shown ? *shown : PassingStore::Get(kind, ns, name);
  }
  base::Result<cluster::Object> GetLatest(Kind kind, std::string_view ns,
                                          std::string_view name) override {
    return PassingStore::Get(kind, ns, name);
  }
  std::optional<cluster::Object> shown;
};

}  // namespace

TEST_CASE("a front of a device that is not there knows nothing of its secrets") {
  ManagedPool w({"a", "b"});
  Front never(w.pool.world(), "default", "none");
  CHECK(never.Get(kDb).Is(ErrorCode::kUnavailable));
  CHECK(never.TakeStamp().Is(ErrorCode::kUnavailable));
  CHECK(never.Put({}, WriteOf("app/db", "1", 1)).Is(ErrorCode::kUnavailable));
  Front before(w.pool.world(), "default", "d");
  REQUIRE(before.Get(kDb).ok());
  DeleteDevice(w.pool.world());
  w.pool.clock().Advance(kFrontLook);
  CHECK(before.Get(kDb).Is(ErrorCode::kUnavailable));
}

TEST_CASE("a record that is lost says nothing of secrets, and nobody writes by it") {
  ManagedPool w({"a", "b"});
  auto pool = w.pool.Open();
  Front front(w.pool.world(), "default", "d");
  REQUIRE(front.Get(kDb).ok());
  DeleteRecord(w.pool.world());
  w.pool.clock().Advance(kFrontLook);
  CHECK(front.Get(kDb).Is(ErrorCode::kUnavailable));
  CHECK(front.TakeStamp().Is(ErrorCode::kUnavailable));
  CHECK(pool->TermNow().Is(ErrorCode::kUnavailable));
  CHECK(pool->ReloadArbiter().Is(ErrorCode::kUnavailable));
  CHECK(pool->ReloadLatestArbiter().Is(ErrorCode::kUnavailable));
  CHECK(pool->Swap(pool->arbiter()).Is(ErrorCode::kUnavailable));
  CHECK(Pool::Open(w.pool.world(), "default", "d").Is(ErrorCode::kUnavailable));
}

TEST_CASE("a member that left the sync set does not say that there is no secret") {
  for (const bool late : {false, true}) {
    CAPTURE(late);
    ManagedPool w({"a", "b", "c"});
    World& world = w.pool.world();
    LateStore store(world.resources);
    w.WriteMirroring("minSyncMirrors", 1);
    w.pool.Reach("c", Reached::kNo);
    w.Turns(30);
    REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
    const auto then = world.resources.Get(Kind::kLease, "default", cluster::ArbiterName("d"));
    if (late) store.shown = *then;
    w.pool.Reach("c", Reached::kYes);
    w.pool.Reach("b", Reached::kNo);
    w.Turns(30);
    REQUIRE(w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"c"});
    REQUIRE(w.Put("a", "app/db", "1").ok());  // on a and c
    w.pool.Reach("a", Reached::kNo);
    w.pool.Reach("c", Reached::kNo);
    w.pool.Reach("b", Reached::kYes);
    World over = WorldOver(world, store);
    Front front(over, "default", "d");
    const auto served = front.Get(kDb);
    CHECK_FALSE((served.ok() && CheckServed(kDb, *served).Is(ErrorCode::kNotFound)));
  }
}

TEST_CASE("what a manager has no answer for is not absent") {
  base::ManualClock clock;
  for (const int status : {404, 429, 503}) {
    Saying transport(status);
    LiveClient client(transport, {}, clock, "default", "d", std::chrono::seconds(1));
    CAPTURE(status);
    CHECK(client.Get(kDb).Is(ErrorCode::kUnavailable));
    CHECK(client.TakeStamp().Is(ErrorCode::kUnavailable));
    CHECK(client.Put({}, WriteOf("app/db", "1", 1)).Is(ErrorCode::kUnavailable));
  }
}

}  // namespace hsmops::manager
