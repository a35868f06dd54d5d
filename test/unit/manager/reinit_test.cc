// Reinit: a mirror counts again when it says so, and a wipe that comes after that is refused.
#include "libhsmops/manager/reinit.h"

#include "libhsmops/manager/sync.h"
#include "test/unit/manager/mirrored_pool.h"

namespace hsmops::manager {

TEST_CASE("a reinit ends when its member is in the sync set, also one that was out of reach") {
  MirroredPool world;
  REQUIRE(world.Put("app", "1").ok());
  world.pool.SetApart(true);
  CHECK(world.Put("app", "2").Is(base::ErrorCode::kInDoubt));
  world.pool.SetApart(false);
  REQUIRE(!world.pool.member("a").Status(false)->unreached.empty());
  store::Term when_wiped;
  auto pool = world.pool.Open();
  const auto note = [&](const std::string& step, const std::string&) {
    if (step == "wipe") when_wiped = pool->term();
  };
  const auto done = Reinit(*pool, {"b"}, note, nullptr);
  REQUIRE_MESSAGE(done.ok(), done.error().message());
  CHECK(world.InSync());
  // The same wipe, from a leader that was stopped on its way.
  CHECK(world.pool.member("b").Initialize(when_wiped, true).Is(base::ErrorCode::kStaleEpoch));
  CHECK(world.pool.member("b").Status(false)->secrets == 1);
}

TEST_CASE("a member that somebody took into the sync set meanwhile is not wiped any more") {
  MirroredPool world;
  REQUIRE(world.Put("app", "1").ok());
  auto pool = world.pool.Open();
  int wipes = 0;
  world.pool.Before(agent::Verb::kInitialize, [&] {
    ++wipes;
    world.Grant();
    auto other = world.pool.Open();
    CHECK(ChangeSyncSet(*other, {"b"}).ok());
  });
  const auto done = Reinit(*pool, {"b"}, [](const std::string&, const std::string&) {}, nullptr);
  CHECK(wipes == 1);
  CHECK(done.Is(base::ErrorCode::kStaleEpoch));
  CHECK(world.InSync());
  CHECK(world.pool.member("b").Status(false)->secrets == 1);
}

}  // namespace hsmops::manager
