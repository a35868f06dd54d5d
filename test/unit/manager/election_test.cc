// Election: who leads, judged by one's own clock.
#include "libhsmops/manager/election.h"

#include <doctest/doctest.h>

#include "libhsmops/cluster/memory_resource_store.h"

namespace hsmops::test {
namespace {

using manager::Election;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Two {
  base::ManualClock clock;
  base::SeededRng rng{1};
  cluster::MemoryResourceStore store{clock, rng};
  Election a{store, clock, {"default", "hsm-manager", "a", "https://a"}};
  Election b{store, clock, {"default", "hsm-manager", "b", "https://b"}};
};

}  // namespace

TEST_CASE("one leads, and the other only when the lease was not renewed for its time") {
  Two two;
  REQUIRE(two.a.Step().ok());
  REQUIRE(two.b.Step().ok());
  CHECK(two.a.Leads());
  CHECK(!two.b.Leads());
  CHECK(two.b.leader() == "a");
  for (int i = 0; i < 10; ++i) {
    two.clock.Advance(seconds(2));
    REQUIRE(two.a.Step().ok());
    REQUIRE(two.b.Step().ok());
    CHECK(two.a.Leads());
    CHECK(!two.b.Leads());
  }
  two.clock.Advance(milliseconds(7900));  // a has stopped
  REQUIRE(two.b.Step().ok());
  CHECK(!two.b.Leads());
  CHECK(!two.a.Leads());  // by its own clock, before anybody else does
  CHECK(two.b.leader() == "a");
  two.clock.Advance(milliseconds(200));
  CHECK(two.b.leader() == "");  // also where nobody can look any more
  REQUIRE(two.b.Step().ok());
  CHECK(two.b.Leads());
  REQUIRE(two.a.Step().ok());
  CHECK(!two.a.Leads());
  CHECK(two.a.leader() == "b");
}

TEST_CASE("who resigns is followed at once, and a lease whose answer was lost does not lead") {
  Two two;
  REQUIRE(two.a.Step().ok());
  two.a.Resign();
  CHECK(!two.a.Leads());
  two.store.FailNextWrite(cluster::Fault::kLostAfter);
  CHECK(two.b.Step().Is(base::ErrorCode::kInDoubt));
  CHECK(!two.b.Leads());
  REQUIRE(two.b.Step().ok());
  CHECK(two.b.Leads());
}

TEST_CASE("a term of leading is another one only after somebody else has led") {
  Two two;
  CHECK(two.a.term() == 0);
  REQUIRE(two.a.Step().ok());
  REQUIRE(two.a.Step().ok());
  CHECK(two.a.term() == 1);
  two.clock.Advance(seconds(9));  // its lease ran out, and nobody has taken it
  CHECK(!two.a.Leads());
  REQUIRE(two.a.Step().ok());
  CHECK(two.a.Leads());
  CHECK(two.a.term() == 1);
  two.a.Resign();
  REQUIRE(two.b.Step().ok());
  two.b.Resign();
  REQUIRE(two.a.Step().ok());
  CHECK(two.a.Leads());
  CHECK(two.a.term() == 2);
  CHECK(two.b.term() == 1);
}

TEST_CASE("a term whose first claim's answer was lost is another one all the same") {
  Two two;
  REQUIRE(two.a.Step().ok());
  two.a.Resign();
  REQUIRE(two.b.Step().ok());
  two.b.Resign();
  two.store.FailNextWrite(cluster::Fault::kLostAfter);
  CHECK_FALSE(two.a.Step().ok());
  REQUIRE(two.a.Step().ok());
  REQUIRE(two.a.Leads());
  CHECK(two.a.term() == 2);
}

TEST_CASE("a store that does not answer changes nothing until the lease has run out") {
  Two two;
  REQUIRE(two.a.Step().ok());
  two.store.SetReachable(false);
  two.clock.Advance(seconds(3));
  CHECK(!two.a.Step().ok());
  CHECK(two.a.Leads());
  two.clock.Advance(seconds(4));
  CHECK(!two.a.Leads());
}

}  // namespace hsmops::test
