// What libhsmops/token/token.h promises of objects, on MemoryToken and on every real token.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "libhsmops/base/encoding.h"
#include "libhsmops/store/label.h"
#include "test/token/token_under_test.h"

namespace hsmops::test {
namespace {

using base::AsBytes;
using base::ErrorCode;

// The longest that a store ever writes.
std::string LongestLabel() {
  store::Label label;
  label.kind = store::Label::Kind::kPart;
  label.id.fill(0xff);
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  label.version = {{kMost, kMost}, kMost};
  label.part = std::numeric_limits<std::uint32_t>::max();
  return label.ToString();
}

}  // namespace

TEST_SUITE("every token") {
  TEST_CASE("an object is found by its exact label, and by nothing that is near it") {
    const auto on = InView();
    token::Token& token = on->token();
    const std::vector<std::string> labels{"app", "app2", "app-prod", "App", "app.db", "app.db.1"};
    for (const std::string& label : labels)
      REQUIRE(token.Create(kOurs, label, AsBytes("of " + label)).ok());
    for (const bool fresh : {false, true}) {
      CAPTURE(fresh);
      for (const std::string& label : labels) CHECK(ValueOf(token, kOurs, label) == "of " + label);
      for (const char* near :
           {"ap", "app.", "app.d", "app.db.", "APP", " app", "app ", "app*", "*"})
        CHECK_MESSAGE(ValueOf(token, kOurs, near) == "none", near);
      CHECK(Labels(token, kOurs) == "App app app-prod app.db app.db.1 app2");
      REQUIRE(token.Refresh().ok());
    }
  }

  TEST_CASE("objects of another application are neither found nor touched") {
    const auto on = InView();
    token::Token& token = on->token();
    const std::string longer = std::string(kOurs) + "2";
    REQUIRE(token.Create(kOurs, "app", AsBytes("ours")).ok());
    REQUIRE(token.Create(kTheirs, "app", AsBytes("theirs")).ok());
    REQUIRE(token.Barrier().ok());
    REQUIRE(token.Refresh().ok());
    CHECK(ValueOf(token, kOurs, "app") == "ours");
    CHECK(ValueOf(token, kTheirs, "app") == "theirs");
    for (const std::string& near :
         {std::string(kOurs.substr(0, 4)), longer, std::string("KHSM-TEST"), std::string("*")})
      CHECK_MESSAGE(token.Find(near)->empty(), near);
    const auto mine = token.Find(kOurs);
    REQUIRE(mine.ok());
    for (const token::ObjectHandle object : *mine) REQUIRE(token.Destroy(object).ok());
    REQUIRE(token.Refresh().ok());
    CHECK(token.Find(kOurs)->empty());
    CHECK(ValueOf(token, kTheirs, "app") == "theirs");
  }

  TEST_CASE("two objects of one label are two, each with its own value") {
    const auto on = InView();
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "app", AsBytes("1")).ok());
    REQUIRE(token.Create(kOurs, "app", AsBytes("22")).ok());
    for (const bool fresh : {false, true}) {
      CAPTURE(fresh);
      const auto found = token.FindLabel(kOurs, "app");
      REQUIRE(found.ok());
      std::multiset<std::string> values;
      for (const token::ObjectHandle object : *found)
        values.insert(TextOf(token.Read(object)->value));
      CHECK(values == std::multiset<std::string>{"1", "22"});
      REQUIRE(token.Refresh().ok());
    }
  }

  TEST_CASE("a search goes to its end, past every page, and finds each object once") {
    const auto on = InView();
    token::Token& token = on->token();
    const std::size_t count = on->traits().objects;
    std::set<std::string> made;
    for (std::size_t i = 0; i < count; ++i) {
      made.insert("many." + std::to_string(i));
      REQUIRE(token.Create(kOurs, "many." + std::to_string(i), AsBytes("v")).ok());
    }
    for (const bool fresh : {false, true}) {
      CAPTURE(fresh);
      auto found = token.Find(kOurs);
      REQUIRE(found.ok());
      CHECK(found->size() == count);
      std::sort(found->begin(), found->end());
      CHECK(std::adjacent_find(found->begin(), found->end()) == found->end());
      std::set<std::string> seen;
      for (const token::ObjectHandle object : *found) seen.insert(*token.ReadLabel(object));
      CHECK(seen == made);
      REQUIRE(token.Refresh().ok());
    }
  }

  TEST_CASE("values of no byte, of one, and of as many as fit come back as they were") {
    const auto on = InView();
    token::Token& token = on->token();
    const std::size_t most = token.profile().max_object_bytes;
    std::vector<std::pair<std::string, base::Bytes>> values;
    if (on->traits().keeps_empty) values.emplace_back("empty", base::Bytes());
    values.emplace_back("zero", base::Bytes{0});
    values.emplace_back("ff", base::Bytes{0xff});
    values.emplace_back("zeros", base::Bytes(64));
    values.emplace_back("every", EveryByte(700));
    values.emplace_back("almost", EveryByte(most - 1, 0xff));
    values.emplace_back("most", EveryByte(most, 1));
    for (const auto& [label, value] : values)
      REQUIRE_MESSAGE(token.Create(kOurs, label, value).ok(), label);
    for (const bool fresh : {false, true}) {
      CAPTURE(fresh);
      for (const auto& [label, value] : values) {
        CAPTURE(label);
        const auto found = token.FindLabel(kOurs, label);
        REQUIRE(found.ok());
        REQUIRE(found->size() == 1);
        const auto read = token.Read(found->front());
        REQUIRE(read.ok());
        CHECK(read->label == label);
        CHECK(base::Equal(read->value, value));
        const auto alone = token.ReadValue(found->front());
        REQUIRE(alone.ok());
        CHECK(*alone == read->value);
        CHECK(*token.ReadLabel(found->front()) == label);
      }
      REQUIRE(token.Refresh().ok());
    }
  }

  TEST_CASE("one byte more than fits is a limit, before anything is there") {
    const auto on = InView();
    token::Token& token = on->token();
    const base::Bytes value = EveryByte(token.profile().max_object_bytes + 1);
    CHECK(token.Create(kOurs, "more", value).Is(ErrorCode::kLimit));
    CHECK(!token.view_lost());
    CHECK(token.Find(kOurs)->empty());
    REQUIRE(token.Refresh().ok());
    CHECK(token.Find(kOurs)->empty());
  }

  TEST_CASE("a label as long as the longest of a store comes back whole, and is found") {
    const auto on = InView();
    token::Token& token = on->token();
    const std::string label = LongestLabel();
    const std::string shorter = label.substr(0, label.size() - 1);
    REQUIRE(token.Create(kOurs, label, AsBytes("long")).ok());
    REQUIRE(token.Create(kOurs, shorter, AsBytes("shorter")).ok());
    REQUIRE(token.Refresh().ok());
    CHECK(ValueOf(token, kOurs, label) == "long");
    CHECK(ValueOf(token, kOurs, shorter) == "shorter");
    CHECK(Labels(token, kOurs) == shorter + " " + label);
  }

  TEST_CASE("an object is destroyed once; the second time it is not found, and nothing else goes") {
    const auto on = InView();
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "kept", AsBytes("value")).ok());
    const auto made = token.Create(kOurs, "gone", AsBytes("value"));
    REQUIRE(made.ok());
    REQUIRE(token.Destroy(*made).ok());
    CHECK(token.Destroy(*made).Is(ErrorCode::kNotFound));
    CHECK(token.Read(*made).Is(ErrorCode::kNotFound));
    CHECK(token.ReadValue(*made).Is(ErrorCode::kNotFound));
    CHECK(token.ReadLabel(*made).Is(ErrorCode::kNotFound));
    CHECK(!token.view_lost());
    CHECK(Labels(token, kOurs) == "kept");
    REQUIRE(token.Refresh().ok());
    CHECK(Labels(token, kOurs) == "kept");
  }

  TEST_CASE("collecting ghosts touches no object that is good, however small") {
    const auto on = InView();
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "a", AsBytes("1")).ok());
    if (on->traits().keeps_empty) REQUIRE(token.Create(kOurs, "b", {}).ok());
    REQUIRE(token.Create(kTheirs, "c", AsBytes("3")).ok());
    REQUIRE(token.Barrier().ok());
    const auto collected = token.CollectGhosts();
    REQUIRE(collected.ok());
    CHECK(*collected == 0);
    REQUIRE(token.Refresh().ok());
    CHECK(ValueOf(token, kOurs, "a") == "1");
    CHECK(ValueOf(token, kOurs, "b") == (on->traits().keeps_empty ? "" : "none"));
    CHECK(ValueOf(token, kTheirs, "c") == "3");
  }
}

}  // namespace hsmops::test
