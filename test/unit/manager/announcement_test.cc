// Announcement: where clients find the managers, and for how long they believe it.
#include "libhsmops/manager/announcement.h"

#include <doctest/doctest.h>

#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::test {
namespace {

using manager::Announcement;
using manager::FindReplicas;
using manager::Replica;
using std::chrono::minutes;
using std::chrono::seconds;

struct Announced {
  base::ManualClock clock;
  base::SeededRng rng{1};
  cluster::MemoryResourceStore store{clock, rng};
  Announcement one{store, clock, rng, "default", {"m1", "https://10.0.0.1:9444"}};
  Announcement two{store, clock, rng, "default", {"m2", "https://10.0.0.2:9444"}};

  std::size_t Leases() { return cluster::LoadAll<cluster::Lease>(store, "default")->items.size(); }
};

}  // namespace

TEST_CASE("replicas are found while they renew what they say, and not long after") {
  Announced all;
  CHECK(FindReplicas(all.store, all.clock, "default")->empty());
  REQUIRE(all.one.Step().ok());
  REQUIRE(all.two.Step().ok());
  CHECK(FindReplicas(all.store, all.clock, "default")->size() == 2);
  CHECK(FindReplicas(all.store, all.clock, "elsewhere")->empty());
  for (int i = 0; i < 20; ++i) {
    all.clock.Advance(seconds(1));
    REQUIRE(all.one.Step().ok());
  }
  CHECK(*FindReplicas(all.store, all.clock, "default") ==
        std::vector<Replica>{{"m1", "https://10.0.0.1:9444"}});
  all.one.Withdraw();
  CHECK(FindReplicas(all.store, all.clock, "default")->empty());
}

TEST_CASE("what a run left behind is removed by another, and no other Lease is") {
  Announced all;
  cluster::Lease other;
  other.metadata.ns = "default";
  other.metadata.name = "hsm-manager.device-primary";
  other.spec.renew_time = all.clock.Wall();
  REQUIRE(cluster::CreateNew(all.store, other).ok());
  REQUIRE(all.two.Step().ok());
  all.clock.Advance(minutes(20));
  REQUIRE(all.one.Step().ok());
  CHECK(all.Leases() == 2);
  // It was only stopped: it is back as it was.
  REQUIRE(all.two.Step().ok());
  CHECK(FindReplicas(all.store, all.clock, "default")->size() == 2);
}

TEST_CASE("a store that does not answer says nothing of who runs") {
  Announced all;
  REQUIRE(all.one.Step().ok());
  all.store.SetReachable(false);
  all.clock.Advance(seconds(3));
  CHECK(!all.one.Step().ok());
  CHECK(!FindReplicas(all.store, all.clock, "default").ok());
  all.store.SetReachable(true);
  REQUIRE(all.one.Step().ok());
  CHECK(FindReplicas(all.store, all.clock, "default")->size() == 1);
}

}  // namespace hsmops::test
