// Adoption: what is taken over from the older layout, and what is written meanwhile.
#include "libhsmops/manager/adoption.h"

#include "test/unit/manager/mirrored_pool.h"

namespace hsmops::manager {
namespace {

// The Primary has "app" and "other" in the older layout, with the value "old".
struct Older : MirroredPool {
  Older() {
    for (const char* label : {"app/k", "other/k"})
      pool.token("a").Plant("hsm-secrets-operator", label, base::AsBytes("old"));
    REQUIRE(pool.member("a").Verify().ok());  // a new view
  }
};

}  // namespace

TEST_CASE("adopt takes what is in the older layout") {
  Older older;
  const auto report = Adopt(*older.pool.Open(), false, nullptr);
  REQUIRE_MESSAGE(report.ok(), report.error().message());
  CHECK(report->taken == 2);
  CHECK(report->Complete());
  CHECK(older.Seen("app") == "old");
}

TEST_CASE("what is written between adopt's look and its writes stays, and adopt says so") {
  for (const char* value : {"new", ""}) {
    Older older;
    older.pool.Before(agent::Verb::kPut, [&] { REQUIRE(older.Put("app", value).ok()); });
    const auto report = Adopt(*older.pool.Open(), false, nullptr);
    REQUIRE_MESSAGE(report.ok(), report.error().message());
    CHECK(report->taken == 1);
    CHECK(report->not_taken.size() == 1);
    CHECK(older.Seen("app") == (*value == 0 ? "absent" : value));
    CHECK(older.Seen("other") == "old");
  }
}

}  // namespace hsmops::manager
