// SecretStore on every token: what is not ours, many secrets, and a token that goes away.
#include <doctest/doctest.h>

#include "libhsmops/base/rng.h"
#include "libhsmops/store/label.h"
#include "test/token/store_under_test.h"

namespace hsmops::test {
namespace {

using base::ErrorCode;
using store::Label;
using State = store::InventoryItem::State;

constexpr std::size_t kNoiseBytes = 300;

// An object of random bytes with our application, as chance or a stranger leaves it.
void PlantNoise(StoreUnderTest& under, const std::string& label) {
  base::SystemRng rng;
  base::Bytes noise(kNoiseBytes);
  rng.Fill(noise);
  REQUIRE(under.token().Create(store::kApplication, label, noise).ok());
  REQUIRE(under.token().Barrier().ok());
}

std::string LabelOf(Label::Kind kind, std::string_view name, std::uint64_t lsn,
                    std::uint32_t part = 0) {
  return Label{kind, IdOf(name), {kEpoch, lsn}, part}.ToString();
}

}  // namespace

TEST_SUITE("every store") {
  TEST_CASE("random bytes under our label are damage that is told, never a value and never fatal") {
    StoreUnderTest under;
    REQUIRE(under.Put("app", "1").ok());
    const auto whole = under.Put("whole", "2");
    REQUIRE(whole.ok());
    PlantNoise(under, LabelOf(Label::Kind::kHead, "app", 1000));    // above what is there
    PlantNoise(under, LabelOf(Label::Kind::kHead, "never", 1001));  // where nothing is
    PlantNoise(under, LabelOf(Label::Kind::kHead, "whole", 0));     // below what is there
    PlantNoise(under, LabelOf(Label::Kind::kPart, "whole", 1, 0));  // a part of nothing
    PlantNoise(under, LabelOf(Label::Kind::kQuarantine, "aside", 5));
    PlantNoise(under, "k1.e");
    PlantNoise(under, "k1.h.nonsense");
    PlantNoise(under, "nonsense");
    REQUIRE(*under.Restart() == store::Standing::kMember);
    CHECK(under.Seen("app") == "Corrupt");
    CHECK(under.Seen("never") == "Corrupt");
    CHECK(under.Seen("whole") == "k=2");
    CHECK(under.Seen("aside") == "absent");
    CHECK(under.Item("app")->state == State::kDamaged);
    CHECK(under.Item("never")->state == State::kDamaged);
    CHECK(under.Item("whole")->state == State::kPresent);
    CHECK(under.Listed() == "whole");
    CHECK(under.store().ReadInventory()->foreign_objects == 3);
    const auto verified = under.store().Verify();
    REQUIRE(verified.ok());
    CHECK(verified->damaged.size() == 2);
    // What it may not read it does not overwrite either, and the others go on.
    CHECK(under.Put("app", "3").Is(ErrorCode::kCorrupt));
    CHECK(under.Put("whole", "4").ok());
    CHECK(under.Seen("whole") == "k=4");
  }

  TEST_CASE("a second copy of a part with other bytes never gets into the value") {
    StoreUnderTest under;
    const std::string value(3 * under.token().profile().max_object_bytes, 'v');
    const auto version = under.Put("app", value);
    REQUIRE(version.ok());
    const std::string label = LabelOf(Label::Kind::kPart, "app", version->lsn, 1);
    PlantNoise(under, label);
    for (const bool noise_first : {false, true}) {
      CAPTURE(noise_first);
      REQUIRE(*under.Restart() == store::Standing::kMember);
      CHECK(under.Seen("app") == "k=" + value);
      CHECK(under.store().Verify()->damaged.empty());
      // The good one is now the younger of the two.
      const auto copies = under.token().FindLabel(store::kApplication, label);
      REQUIRE(copies.ok());
      for (const token::ObjectHandle copy : *copies) {
        const auto read = under.token().ReadValue(copy);
        REQUIRE(read.ok());
        if (noise_first || read->size() == kNoiseBytes) continue;
        REQUIRE(under.token().Destroy(copy).ok());
        REQUIRE(under.token().Create(store::kApplication, label, read->view()).ok());
        REQUIRE(under.token().Barrier().ok());
      }
    }
  }

  TEST_CASE("a token of nothing but random bytes is not taken for a member's, and not wiped") {
    const auto on = InView();
    base::SystemRng rng;
    for (const char* label : {"k1.e", "k1.h.x", "", "\xff\xfe", "k1.p"}) {
      base::Bytes noise(500);
      rng.Fill(noise);
      REQUIRE(on->token().Create(store::kApplication, label, noise).ok());
    }
    REQUIRE(on->token().Barrier().ok());
    store::Ledger ledger = store::Ledger::InMemory();
    base::SystemClock clock;
    store::SecretStore store(on->token(), ledger, clock, rng);
    const auto standing = store.Open(kPool, kMember);
    REQUIRE(standing.ok());
    CHECK(*standing != store::Standing::kMember);
    CHECK(store.Read(NameOf("app")).Is(ErrorCode::kUnavailable));
    CHECK(on->token().Find(store::kApplication)->size() == 5);
  }

  TEST_CASE("a member's token that comes back empty is a failed member, not an empty store") {
    StoreUnderTest under;
    REQUIRE(under.Put("app", "1").ok());
    const auto all = under.token().Find(store::kApplication);
    REQUIRE(all.ok());
    for (const token::ObjectHandle object : *all) REQUIRE(under.token().Destroy(object).ok());
    CHECK(*under.Restart() == store::Standing::kEmptied);
    CHECK(under.Seen("app") == "Unavailable");
  }

  TEST_CASE("a store holds many secrets, and the next process finds each by its name") {
    StoreUnderTest under;
    const std::size_t count = under.traits().secrets;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) names.push_back("many/" + std::to_string(i));
    const std::size_t half = count / 2;
    under.PutAll({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(half)});
    under.PutAll({names.begin() + static_cast<std::ptrdiff_t>(half), names.end()});
    REQUIRE(*under.Restart() == store::Standing::kMember);
    const auto inventory = under.store().ReadInventory();
    REQUIRE(inventory.ok());
    CHECK(inventory->items.size() == count);
    base::SeededRng rng(count);
    for (int reads = 0; reads < 50; ++reads) {
      const std::string& name = names[rng.Below(count)];
      CHECK(under.Seen(name) == "k=of " + name);
    }
    CHECK(under.Seen("many/" + std::to_string(count)) == "absent");
    CHECK(under.Seen("many") == "absent");
    REQUIRE(under.Put(names[1], "other").ok());
    CHECK(under.Seen(names[1]) == "k=other");
    CHECK(under.Seen(names[0]) == "k=of " + names[0]);
    CHECK(under.Seen("many/10") == "k=of many/10");
  }

  TEST_CASE("a token that is away is no answer, and the store goes on by itself when it is back") {
    StoreUnderTest under;
    if (!under.traits().unplugs) return;  // said in the traits
    REQUIRE(under.Put("app", "1").ok());
    under.on().Unplug();
    if (under.traits().away == Traits::Away::kUnavailable) {
      CHECK(under.Seen("app") == "Unavailable");
      CHECK(under.Put("app", "2").Is(ErrorCode::kUnavailable));
    }
    CHECK(under.store().Verify().Is(ErrorCode::kUnavailable));
    CHECK(under.Seen("app") == "Unavailable");
    CHECK(under.Seen("none") == "Unavailable");
    CHECK(under.Put("app", "3").Is(ErrorCode::kUnavailable));
    under.on().Replug();
    CHECK(under.Seen("app") == "k=1");
    CHECK(under.Seen("none") == "absent");
    REQUIRE(under.Put("app", "4").ok());
    REQUIRE(*under.Restart() == store::Standing::kMember);
    CHECK(under.Seen("app") == "k=4");
  }
}

}  // namespace hsmops::test
