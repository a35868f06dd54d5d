// SecretStore with the objects of every token: names, keys and values.
#include <doctest/doctest.h>

#include "test/token/store_under_test.h"

namespace hsmops::test {
namespace {

using base::ErrorCode;

// More than this program's objects of 1 KiB can name in one head.
constexpr std::size_t kMebibyte = 1 << 20;

std::string Binary(std::size_t size, std::uint8_t first) {
  const base::Bytes bytes = EveryByte(size, first);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_SUITE("every store") {
  TEST_CASE("what was put is read under exactly its name, by the next process too") {
    StoreUnderTest under;
    const std::string longest = std::string(250, 'x') + "/yz";
    const std::vector<std::string> names{"app", "app-prod", "app/db", "app2", longest};
    for (const std::string& name : names) REQUIRE(under.Put(name, "of " + name).ok());
    for (const bool again : {false, true}) {
      CAPTURE(again);
      for (const std::string& name : names) CHECK(under.Seen(name) == "k=of " + name);
      for (const std::string& near :
           {std::string("ap"), std::string("app/d"), std::string("app/db/x"),
            std::string("app-pro"), longest.substr(0, 250)})
        CHECK_MESSAGE(under.Seen(near) == "absent", near);
      CHECK(under.Listed() == "app app-prod app/db app2 " + longest);
      if (!again) REQUIRE(*under.Restart() == store::Standing::kMember);
    }
  }

  TEST_CASE("names and keys outside the grammar are refused, and nothing is written") {
    StoreUnderTest under;
    REQUIRE(under.Put("app", "1").ok());
    const std::size_t objects = under.Objects();
    for (const std::string& name :
         {std::string(254, 'x'), std::string(".."), std::string("app/.."), std::string("App"),
          std::string("aPp"), std::string("app\n"), std::string("a\x1b[2Jb"),
          std::string("caf\xc3\xa9"), std::string("a\0b", 3), std::string("app "),
          std::string("/app"), std::string("app//db"), std::string()}) {
      const auto parsed = store::SecretName::Parse(name);
      REQUIRE(parsed.Is(ErrorCode::kInvalid));
      CHECK(parsed.error().message().find('\x1b') == std::string::npos);
    }
    for (const std::string& key : {std::string(".."), std::string("a/b"), std::string("k\n"),
                                   std::string("\xc3\xa9"), std::string(254, 'k'), std::string()}) {
      store::Keys keys;
      keys.emplace(key, base::SecretBytes::FromText("v"));
      CHECK(under.Put("app", std::move(keys)).Is(ErrorCode::kInvalid));
    }
    CHECK(under.Put("app", store::Keys()).Is(ErrorCode::kInvalid));
    CHECK(under.Seen("app") == "k=1");
    CHECK(under.Objects() == objects);
  }

  TEST_CASE("values of no byte and of any bytes come back, in one object and in many") {
    StoreUnderTest under;
    const std::size_t part = under.token().profile().max_object_bytes;
    REQUIRE(under.Put("empty", "").ok());
    REQUIRE(under.Put("zero", std::string(1, '\0')).ok());
    REQUIRE(under
                .Put("mixed", KeysOf({{"a", Binary(100, 0)},
                                      {"b", ""},
                                      {"c", Binary(100, 0xff)},
                                      {"d.pem", std::string(64, '\0')}}))
                .ok());
    // Around where one object no longer holds it, and in several whole ones.
    for (const std::size_t size : {part - 400, part, part + 1, 5 * part})
      REQUIRE(under.Put("size/" + std::to_string(size), Binary(size, 7)).ok());
    REQUIRE(*under.Restart() == store::Standing::kMember);
    CHECK(under.Seen("empty") == "k=");
    CHECK(under.Seen("zero") == "k=" + std::string(1, '\0'));
    CHECK(under.Seen("mixed") ==
          "a=" + Binary(100, 0) + " b= c=" + Binary(100, 0xff) + " d.pem=" + std::string(64, '\0'));
    for (const std::size_t size : {part - 400, part, part + 1, 5 * part})
      CHECK_MESSAGE(under.Seen("size/" + std::to_string(size)) == "k=" + Binary(size, 7), size);
  }

  TEST_CASE("1 MiB is kept where the profile allows it, else a limit before the first call") {
    StoreUnderTest under;
    REQUIRE(under.Put("app", "1").ok());
    const std::string value = Binary(kMebibyte, 3);
    if (under.token().profile().max_object_bytes == token::kSoftHsm.max_object_bytes) {
      REQUIRE(under.Put("app", value).ok());
      REQUIRE(*under.Restart() == store::Standing::kMember);
      CHECK(under.Seen("app") == "k=" + value);
      CHECK(under.Put("more", value + value).Is(ErrorCode::kLimit));
    } else {
      REQUIRE(under.Seen("more") == "absent");  // what is looked up once is looked up
      const std::uint64_t calls = under.calls();
      const auto refused = under.Put("more", value);
      CHECK(refused.Is(ErrorCode::kLimit));
      CHECK(refused.error().message().find("1024 bytes") != std::string::npos);
      CHECK(under.calls() == calls);
    }
    CHECK(under.Seen("more") == "absent");
  }

  TEST_CASE("overwriting one name leaves its neighbours as they are") {
    StoreUnderTest under;
    const std::size_t part = under.token().profile().max_object_bytes;
    for (const char* name : {"app", "app2", "app/db"}) REQUIRE(under.Put(name, name).ok());
    REQUIRE(under.Put("app", "2").ok());
    REQUIRE(under.Put("app", Binary(3 * part, 1)).ok());
    REQUIRE(under.Put("app", "4").ok());
    for (const bool again : {false, true}) {
      CAPTURE(again);
      CHECK(under.Seen("app") == "k=4");
      CHECK(under.Seen("app2") == "k=app2");
      CHECK(under.Seen("app/db") == "k=app/db");
      if (!again) REQUIRE(*under.Restart() == store::Standing::kMember);
    }
    // The three older ones, but for the one right before, which stays.
    const auto collected = under.store().Collect([] { return true; });
    REQUIRE(collected.ok());
    CHECK(collected->destroyed == 2);
    CHECK(!collected->more);
    CHECK(under.store().Verify()->damaged.empty());
    CHECK(under.Seen("app") == "k=4");
    CHECK(under.Seen("app2") == "k=app2");
  }

  TEST_CASE("what is deleted is absent and leaves a tombstone, and its name can be used again") {
    StoreUnderTest under;
    CHECK(under.Remove("app").Is(ErrorCode::kNotFound));
    REQUIRE(under.Put("app", "1").ok());
    REQUIRE(under.Put("app2", "2").ok());
    const auto gone = under.Remove("app");
    REQUIRE(gone.ok());
    for (const bool again : {false, true}) {
      CAPTURE(again);
      CHECK(under.Seen("app") == "absent");
      CHECK(under.Item("app")->state == store::InventoryItem::State::kTombstone);
      CHECK(under.Listed() == "app2");
      if (!again) REQUIRE(*under.Restart() == store::Standing::kMember);
    }
    CHECK(*under.store().CollectTombstones({{IdOf("app"), *gone}}) == 1);
    CHECK(!under.Item("app"));
    CHECK(under.Seen("app") == "absent");
    const auto back = under.Put("app", "3");
    REQUIRE(back.ok());
    CHECK(back->lsn > gone->lsn);
    REQUIRE(*under.Restart() == store::Standing::kMember);
    CHECK(under.Seen("app") == "k=3");
    CHECK(under.Seen("app2") == "k=2");
  }
}

}  // namespace hsmops::test
