// Each known way to break the store's protocol is found by a check that passes without it.
#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using base::Mutant;

const std::string kOldValue(1800, 'o');
const std::string kNewValue(1800, 'n');

// The check holds, and does not with the mutant on.
void Finds(Mutant mutant, bool (*check)()) {
  CHECK(check());
  const MutantOn on(mutant);
  CHECK(!check());
}

bool UpdateSurvivesEveryCrash(const token::Profile& profile, Fault::Kind kind, bool lose_unsynced) {
  for (std::uint64_t k = 1;; ++k) {
    Device device(profile);
    REQUIRE(device.Put("app", kOldValue).ok());
    device.faulty->Arm(Fault{.kind = kind, .call = k});
    const bool acknowledged = device.Put("app", kNewValue).ok();
    const bool fired = device.faulty->fired();
    REQUIRE(device.Restart(lose_unsynced).ok());
    const std::string seen = device.Seen("app");
    if (seen != "k=" + kNewValue && (acknowledged || seen != "k=" + kOldValue)) return false;
    if (!fired) return true;
  }
}

}  // namespace

TEST_CASE("mutant: destroy before create is found by a crash at every call of an update") {
  Finds(Mutant::kDestroyBeforeCreate,
        [] { return UpdateSurvivesEveryCrash(kSmallFiles, Fault::Kind::kDieBefore, false); });
}

TEST_CASE("mutant: error as absent is found by a read that fails") {
  Finds(Mutant::kErrorAsAbsent, [] {
    for (std::uint64_t call = 1; call < 12; ++call) {
      Device device;
      REQUIRE(device.Put("app", kOldValue).ok());
      device.faulty->Arm(Fault{.call = call, .times = 0});
      if (device.Seen("app") == "absent") return false;
    }
    return true;
  });
}

TEST_CASE("mutant: first instead of greatest is found by an update that is read") {
  Finds(Mutant::kFirstInsteadOfGreatest, [] {
    Device device;
    (void)device.Put("app", kOldValue);
    (void)device.Put("app", kNewValue);
    (void)device.Restart();
    return device.Seen("app") == "k=" + kNewValue;
  });
}

TEST_CASE(
    "mutant: a read-back in the same view as proof is found by a token that swallows writes") {
  Finds(Mutant::kInSessionProof, [] {
    for (const token::Profile* profile : {&kSmallFiles, &kSmallViews}) {
      Device device(*profile);
      (void)device.Put("app", kOldValue);
      device.memory.SwallowWrites(true);
      const bool acknowledged = device.Put("app", kNewValue).ok();
      device.memory.SwallowWrites(false);
      (void)device.Restart(true);
      if (acknowledged && device.Seen("app") != "k=" + kNewValue) return false;
    }
    return true;
  });
}

TEST_CASE("mutant: names matched by prefix are found by a name that is the beginning of another") {
  Finds(Mutant::kPrefixMatch, [] {
    Device device;
    (void)device.Put("app-prod", kNewValue);
    return device.Seen("app") == "absent";
  });
}

TEST_CASE(
    "mutant: a tombstone collected in the view that wrote it is found by a token that lost it") {
  Finds(Mutant::kTombstoneEarly, [] {
    Device device;
    (void)device.Put("app", kOldValue);
    const auto gone = device.Remove("app");
    device.memory.Remove(store::Label{store::Label::Kind::kHead, IdOf("app"), *gone, 0}.ToString());
    (void)device.store->CollectTombstones({{IdOf("app"), *gone}});
    return device.Count("k1.h") == 1;  // what it stood on
  });
}

TEST_CASE(
    "mutant: an older version for a damaged newer one is found by a head that is not readable") {
  Finds(Mutant::kSmallerForDamaged, [] {
    for (const bool vanished : {false, true}) {
      Device device;
      (void)device.Put("app", kOldValue);
      const auto newest = device.Put("app", kNewValue);
      const std::string label =
          store::Label{store::Label::Kind::kHead, IdOf("app"), *newest, 0}.ToString();
      if (vanished) {
        device.memory.Remove(label);
      } else {
        device.memory.Corrupt(label, 60);
      }
      (void)device.Restart();
      if (device.Seen("app") == "k=" + kOldValue) return false;
    }
    return true;
  });
}

}  // namespace hsmops::test
