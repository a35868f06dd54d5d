// FollowSpec and OldGrants: what a promotion waits for after D was changed.
#include <doctest/doctest.h>

#include "libhsmops/agent/client.h"
#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/follow_spec.h"

namespace hsmops::manager {

namespace {

using std::chrono::seconds;

class NobodyThere : public agent::Channel {
 public:
  base::Result<base::SecretBytes> Call(base::SecretBytes) override {
    return base::Error(base::ErrorCode::kUnavailable, "nobody there");
  }
};

class OnePool {
 public:
  OnePool() {
    cluster::HSMDevice device;
    device.metadata.ns = "default";
    device.metadata.name = "d";
    cluster::MirroringSpec& mirroring = device.spec.mirroring.emplace();
    mirroring.endpoints = {{"a", "https://a:9443"}, {"b", "https://b:9443"}};
    mirroring.primary_node = "a";
    REQUIRE(cluster::CreateNew(resources_, device).ok());
    REQUIRE(CreateArbiterFor(world_, device).ok());
    Reopen();
  }

  Pool& operator*() { return *pool_; }
  Pool* operator->() { return pool_.get(); }
  base::ManualClock& clock() { return clock_; }
  void SetGrantDuration(seconds duration) {
    auto device = cluster::Load<cluster::HSMDevice>(resources_, "default", "d");
    REQUIRE(device.ok());
    device->spec.mirroring->failover.grant_duration = duration;
    REQUIRE(cluster::Save(resources_, *device).ok());
    Reopen();
    REQUIRE(FollowSpec(*pool_).ok());
  }

 private:
  void Reopen() {
    auto opened = Pool::Open(world_, "default", "d");
    REQUIRE_MESSAGE(opened.ok(), opened.error().message());
    pool_ = *std::move(opened);
  }

  base::ManualClock clock_;
  base::SystemRng rng_;
  base::SequentialExecutor executor_;
  cluster::MemoryResourceStore resources_{clock_, rng_};
  World world_{resources_, clock_, rng_, executor_,
               [](const std::string&, const std::string&, const store::Uid&, const store::Uid&) {
                 return std::make_unique<agent::Client>(std::make_unique<NobodyThere>());
               }};
  std::unique_ptr<Pool> pool_;
};

}  // namespace

TEST_CASE("the D before is on record until no grant of it can be held, by one's own clock") {
  OnePool pool;
  CHECK(pool->arbiter().grant_duration == seconds(10));
  pool.SetGrantDuration(seconds(3));
  CHECK(pool->arbiter().grant_duration == seconds(3));
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  const std::uint64_t generation = pool->arbiter().generation;

  OldGrants grants;
  pool.clock().Advance(seconds(100));  // before anybody of this process saw the change
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  pool.clock().Advance(LongestGrant(seconds(10)) - std::chrono::milliseconds(1));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  pool.clock().Advance(std::chrono::milliseconds(1));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(3));
  CHECK(!pool->arbiter().grant_replaced_at);
  CHECK(pool->arbiter().generation == generation);
}

TEST_CASE("a second change of D begins the wait anew") {
  OnePool pool;
  OldGrants grants;
  pool.SetGrantDuration(seconds(3));
  CHECK(grants.Forget(*pool).ok());
  pool.clock().Advance(LongestGrant(seconds(10)));
  pool.SetGrantDuration(seconds(5));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  pool.clock().Advance(LongestGrant(seconds(10)));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(5));
}

TEST_CASE("the wait for a grant is the one of the protocol") {
  // 10 s * 1.05 / 0.95 = 11.05 s, and the margin.
  CHECK(LongestGrant(seconds(10)) > std::chrono::milliseconds(12'500));
  CHECK(LongestGrant(seconds(10)) < std::chrono::milliseconds(12'600));
}

}  // namespace hsmops::manager
