// Reinit: a mirror counts again when it says so, and a wipe that comes after that is refused.
#include "libhsmops/manager/reinit.h"

#include "libhsmops/manager/promotion.h"
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

TEST_CASE(
    "a wipe is of the generation that was taken for it, not of a later one that was read since") {
  MirroredPool world;
  REQUIRE(world.Put("app", "1").ok());
  auto pool = world.pool.Open();
  // The first grant is that of the change of S, the second that after the wipe's generation. A
  // leader that is stopped before it asks for the second one's nonce, and another one meanwhile.
  world.pool.Before(agent::Verb::kTakePulse, [&] {
    world.pool.Before(agent::Verb::kTakePulse, [&] {
      world.Grant();
      auto other = world.pool.Open();
      REQUIRE(ChangeSyncSet(*other, {"b"}).ok());
    });
  });
  bool in_sync_when_wiped = false;
  std::string lost = "no promotion";
  std::uint64_t left = 99;
  const auto note = [&](const std::string& step, const std::string&) {
    if (step != "copy") return;
    in_sync_when_wiped = world.InSync();
    world.pool.Reach("a", Reached::kNo);  // the Primary dies
    PromotionOptions options;
    options.purpose = failover::Purpose::kFailover;
    auto other = world.pool.Open();
    const auto report = Promote(*other, options, [](const std::string&, const std::string&) {});
    lost = report.ok() ? report->lost : report.error().message();
    left = world.pool.member("b").Status(false)->secrets;
  };
  const auto done = Reinit(*pool, {"b"}, note, nullptr);
  CHECK(done.Is(base::ErrorCode::kStaleEpoch));
  CHECK(!in_sync_when_wiped);
  CHECK(lost == "no promotion");
  CHECK(left == 99);
  CHECK(world.pool.member("b").Status(false)->secrets == 1);
}

}  // namespace hsmops::manager
