// A leader that was stopped in the middle of a change, and goes on under what others made since.
#include <doctest/doctest.h>

#include <algorithm>

#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/reader.h"
#include "libhsmops/manager/sync.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/mirrored_pool.h"

namespace hsmops::manager {

TEST_CASE("a leader that was stopped makes no Primary a member of its own sync set") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  REQUIRE(ChangeSyncSet(*w.pool.Open(), {}).ok());  // as when both had been away
  w.Grant();
  Controller stopped(w.pool.world(), "default", "d");
  bool came = false;
  w.pool.Before(agent::Verb::kPrepare, [&] {  // it is about to take in b and c
    came = true;
    w.Turns(4);  // of the next leader, which takes them in
    PromotionOptions options;
    options.target = "c";
    const auto promoted = Promote(*w.pool.Open(), options, kSilently);
    REQUIRE_MESSAGE(promoted.ok(), promoted.error().message());
    w.Grant();
  });
  w.TurnsOf(stopped, 1);
  REQUIRE(came);
  REQUIRE(w.pool.holder() == "c");
  const auto sync_set = w.pool.Open()->SyncSetNodes();
  CHECK(std::ranges::count(sync_set, "c") == 0);
  // What becomes of it: c is cut from its mirrors, and "confirms" to itself.
  w.Grant();
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("b", Reached::kNo);
  const auto put = w.Put("c", "app", "2");
  CHECK_MESSAGE(!put.ok(), "acknowledged, and on c alone");
  // c is gone, the others are back: the failover goes by itself.
  w.pool.Reach("c", Reached::kNo);
  w.pool.Reach("a", Reached::kYes);
  w.pool.Reach("b", Reached::kYes);
  Controller next(w.pool.world(), "default", "d");
  w.TurnsOf(next, 60);
  w.Grant();
  const std::string now = w.pool.holder();
  CAPTURE(now);
  if (put.ok() && !now.empty()) CHECK(w.Seen(now, "app") == "2");
}

TEST_CASE(
    "a leader that ended between a change of R and the grant of it leaves a Primary in its way") {
  MirroredPool world;
  world.pool.Before(agent::Verb::kTakePulse, [&] { world.pool.Reach("a", Reached::kNo); });
  REQUIRE(ChangeSyncSet(*world.pool.Open(), {"b"}, 0).ok());
  world.pool.Reach("a", Reached::kYes);
  const auto next = ChangeSyncSet(*world.pool.Open(), {"b"}, 1);
  CHECK_MESSAGE(next.ok(), next.error().message());
}

}  // namespace hsmops::manager
