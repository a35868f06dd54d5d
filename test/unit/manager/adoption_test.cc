// Adoption: what is taken over from the older layout, and what is written meanwhile.
#include "libhsmops/manager/adoption.h"

#include "libhsmops/manager/reader.h"
#include "libhsmops/manager/writer.h"
#include "test/unit/manager/small_pool.h"

namespace hsmops::manager {
namespace {

// A pool whose Primary has "app" in the older layout, with the value "old".
struct Older {
  Older() {
    pool.token("a").Plant("hsm-secrets-operator", "app/k", base::AsBytes("old"));
    pool.token("a").Plant("hsm-secrets-operator", "other/k", base::AsBytes("old"));
  }

  // Acknowledged, through the same Primary.
  void Write(bool remove) {
    store::Write write{.name = *store::SecretName::Parse("app"), .remove = remove};
    if (!remove) {
      base::SecretBytes value;
      value.Append(base::AsBytes("new"));
      write.keys.emplace("k", std::move(value));
    }
    std::vector<store::Write> writes;
    writes.push_back(std::move(write));
    auto opened = pool.Open();
    auto writer = Writer::Open(*opened);
    REQUIRE(writer.ok());
    REQUIRE(writer->Write(std::move(writes), nullptr)[0].ok());
  }
  std::string Seen(const char* name) {
    auto opened = pool.Open();
    const auto read = Read(*opened, *store::SecretName::Parse(name));
    REQUIRE(read.ok());
    if (!read->secret) return "absent";
    const base::ByteView value = read->secret->keys.at("k").view();
    return {value.begin(), value.end()};
  }

  SmallPool pool{{"a", "b"}, "pkcs11:token="};
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
  for (const bool remove : {false, true}) {
    Older older;
    older.pool.Before(agent::Verb::kStage, [&] { older.Write(remove); });
    const auto report = Adopt(*older.pool.Open(), false, nullptr);
    REQUIRE_MESSAGE(report.ok(), report.error().message());
    CHECK(report->taken == 1);
    CHECK(report->not_taken.size() == 1);
    CHECK(older.Seen("app") == (remove ? "absent" : "new"));
    CHECK(older.Seen("other") == "old");
  }
}

}  // namespace hsmops::manager
