// FollowSpec and OldGrants: what a promotion waits for after D was changed.
#include "libhsmops/manager/follow_spec.h"
#include "test/unit/manager/small_pool.h"

namespace hsmops::manager {

namespace {

using std::chrono::seconds;

// As the leader finds the pool after the spec was edited, and follows it.
std::unique_ptr<Pool> WithGrantDuration(SmallPool& pool, seconds duration) {
  pool.EditFailover([&](cluster::FailoverSpec& failover) { failover.grant_duration = duration; });
  auto opened = pool.Open();
  REQUIRE(FollowSpec(*opened).ok());
  return opened;
}

}  // namespace

TEST_CASE("the D before is on record until no grant of it can be held, by one's own clock") {
  SmallPool small({"a", "b"});
  CHECK(small.Open()->arbiter().grant_duration == seconds(10));
  auto pool = WithGrantDuration(small, seconds(3));
  CHECK(pool->arbiter().grant_duration == seconds(3));
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  const std::uint64_t generation = pool->arbiter().generation;

  OldGrants grants;
  small.clock().Advance(seconds(100));  // before anybody of this process saw the change
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  small.clock().Advance(LongestGrant(seconds(10)) - std::chrono::milliseconds(1));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  small.clock().Advance(std::chrono::milliseconds(1));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(3));
  CHECK(!pool->arbiter().grant_replaced_at);
  CHECK(pool->arbiter().generation == generation);
}

TEST_CASE("a second change of D begins the wait anew") {
  SmallPool small({"a", "b"});
  OldGrants grants;
  auto pool = WithGrantDuration(small, seconds(3));
  CHECK(grants.Forget(*pool).ok());
  small.clock().Advance(LongestGrant(seconds(10)));
  pool = WithGrantDuration(small, seconds(5));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(10));
  small.clock().Advance(LongestGrant(seconds(10)));
  CHECK(grants.Forget(*pool).ok());
  CHECK(pool->arbiter().old_grant_duration == seconds(5));
}

TEST_CASE("the wait for a grant is the one of the protocol") {
  // 10 s * 1.05 / 0.95 = 11.05 s, and the margin.
  CHECK(LongestGrant(seconds(10)) > std::chrono::milliseconds(12'500));
  CHECK(LongestGrant(seconds(10)) < std::chrono::milliseconds(12'600));
}

}  // namespace hsmops::manager
