// A planned promotion whose leader was stopped while another one replaced the Primary.
#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/promotion.h"
#include "libhsmops/manager/sync.h"
#include "test/unit/manager/small_pool.h"

namespace hsmops::manager {
namespace {

const StepNote kQuiet = [](const std::string&, const std::string&) {};

// a is the Primary, c in the sync set, b is not. A leader promotes b and is stopped after the
// change of S by which b came in, before the grant that ends the joint step; another one promotes c
// since a does not answer, and a comes back.
struct StoppedPromotion {
  explicit StoppedPromotion(const std::vector<std::string>& nodes) : pool(nodes) {
    Controller controller(pool.world(), "default", "d");
    for (int turn = 0; turn < 8; ++turn) {
      REQUIRE(GrantTo(*pool.Open(), "a").ok());
      (void)controller.Turn();
      pool.clock().Advance(std::chrono::seconds(1));
    }
    REQUIRE(GrantTo(*pool.Open(), "a").ok());
    REQUIRE(ChangeSyncSet(*pool.Open(), {"c"}).ok());
    REQUIRE(Put("a", "1").ok());
  }

  base::Result<PromotionReport> Go(const std::function<void(Pool& other)>& afterwards) {
    auto stopped = pool.Open();
    pool.Before(agent::Verb::kTakePulse, [&] {
      pool.Reach("a", Reached::kNo);
      auto other = pool.Open();
      PromotionOptions options;
      options.purpose = failover::Purpose::kFailover;
      options.target = "c";
      const auto report = Promote(*other, options, kQuiet);
      REQUIRE_MESSAGE(report.ok(), report.error().message());
      pool.Reach("a", Reached::kYes);
      REQUIRE(Sync(*other, {}, nullptr).ok());
      REQUIRE(GrantTo(*other, "c").ok());
      afterwards(*other);
      REQUIRE(pool.member("c").Status(false)->gate_open);
    });
    PromotionOptions options;
    options.purpose = failover::Purpose::kPromote;
    options.target = "b";
    return Promote(*stopped, options, kQuiet);
  }

  base::Result<void> Put(const std::string& node, const std::string& value) {
    store::Write write{.name = *store::SecretName::Parse("app"), .remove = false, .op_id = {++op_}};
    base::SecretBytes bytes;
    bytes.Append(base::AsBytes(value));
    write.keys.emplace("k", std::move(bytes));
    std::vector<store::Write> writes;
    writes.push_back(std::move(write));
    mirror::Member& primary = pool.member(node);
    HSM_TRY(auto results, primary.Put(primary.TakePulse()->stamp, std::move(writes)));
    if (!results[0].ok()) return results[0].error();
    return {};
  }
  std::string Seen(const std::string& node) {
    const auto read = pool.member(node).Read(*store::SecretName::Parse("app"), true);
    if (!read.ok()) return "no: " + read.error().message();
    const base::ByteView value = read->secret->keys.at("k").view();
    return {value.begin(), value.end()};
  }

  SmallPool pool;

 private:
  std::uint8_t op_ = 0;
};

}  // namespace

TEST_CASE("a promotion whose leader was stopped does not replace a Primary that it never judged") {
  StoppedPromotion world({"a", "b", "c"});
  const auto report = world.Go([&](Pool&) {
    REQUIRE(world.Put("c", "2").ok());
    REQUIRE(world.Seen("c") == "2");
    world.pool.Reach("c", Reached::kNo);  // apart from managers and members; it has its grant
  });
  CHECK(!report.ok());
  CHECK(world.pool.holder() == "c");
  CHECK(!world.Put("b", "3").ok());
  CHECK(world.Seen("b").starts_with("no: "));
  CHECK(world.Seen("c") == "2");  // and nobody has acknowledged anything later
}

TEST_CASE("a promotion whose leader was stopped does not lose what a Primary acknowledged since") {
  StoppedPromotion world({"a", "b", "c", "e"});
  world.pool.Reach("e", Reached::kNo);  // while the first leader looks
  const auto report = world.Go([&](Pool& other) {
    world.pool.Reach("e", Reached::kYes);
    REQUIRE(Sync(other, {}, nullptr).ok());
    REQUIRE(ChangeSyncSet(other, {"b", "e"}).ok());
    REQUIRE(GrantTo(other, "c").ok());
    REQUIRE(other.arbiter().k == 1);
    world.pool.Reach("b", Reached::kNo);
    REQUIRE(world.Put("c", "2").ok());  // e confirms it
    world.pool.Reach("b", Reached::kYes);
    world.pool.Reach("c", Reached::kNo);
    world.pool.Reach("e", Reached::kNo);
  });
  CHECK_MESSAGE(!report.ok(), "it went on");
  if (report.ok()) {
    CHECK_MESSAGE(report->lost != "none", "lost: " << report->lost);
    CHECK(world.Seen("b") == "2");
  }
}

}  // namespace hsmops::manager
