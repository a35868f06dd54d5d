#include "libhsmops/cluster/label_selector.h"

#include <doctest/doctest.h>

namespace hsmops::test {
namespace {

using cluster::LabelSelector;

bool Matches(const char* text) {
  const auto selector = LabelSelector::Parse(text);
  REQUIRE_MESSAGE(selector.ok(), text);
  return selector->Matches({{"app", "payments"}, {"tier", ""}, {"hsm.j5t.io/site", "east-1"}});
}

}  // namespace

TEST_CASE("a selector holds when all its requirements do") {
  for (const char* text : {"", " ", "app=payments", "app==payments", "app = payments", "app!=other",
                           "missing!=other", "app", "!missing", "tier=", "app in (other, payments)",
                           "app notin (other)", "missing notin (a)", "hsm.j5t.io/site=east-1",
                           "app=payments,hsm.j5t.io/site in (east-1,b)"}) {
    CHECK_MESSAGE(Matches(text), text);
  }
  for (const char* text :
       {"app=other", "app!=payments", "missing", "!app", "missing=", "app in (a,b)",
        "app notin (payments)", "App=payments", "app=payments,missing"}) {
    CHECK_MESSAGE(!Matches(text), text);
  }
}

TEST_CASE("a selector outside the grammar is refused, and says what would be right") {
  for (const char* text : {"=", "=a", "app=pay ments", "app in a,b", "app in (a", "app,", ",app",
                           "app in", "!", "a b", "-a=b", "a=b c=d", "a=(b)", "a/b/c=d", "a\nb"}) {
    const auto selector = LabelSelector::Parse(text);
    REQUIRE_MESSAGE(!selector.ok(), text);
    CHECK(selector.error().message().find("key=value") != std::string::npos);
  }
  std::string many = "a";
  for (int i = 0; i < 64; ++i) many += ",a";
  CHECK(LabelSelector::Parse(many).Is(base::ErrorCode::kInvalid));
}

}  // namespace hsmops::test
