// A verification in pieces: what it finds, and what may happen between two of them.
#include <algorithm>

#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

const std::string kOfParts(1500, 'v');  // a head and parts

bool OneAtATime() { return false; }

class Verifying {
 public:
  Verifying() {
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
      REQUIRE(device.Put(name, name + kOfParts).ok());
    auto begun = device.store->BeginVerify();
    REQUIRE(begun.ok());
    verification = *std::move(begun);
    REQUIRE(verification.ids.size() == 6);
  }
  // The names in the order in which they are looked at.
  std::string NameAt(std::size_t place) const {
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
      if (IdOf(name) == verification.ids[place]) return name;
    }
    return "";
  }
  base::Result<bool> Piece() { return device.store->VerifyMore(verification, OneAtATime); }
  base::Result<bool> Rest() {
    for (;;) {
      auto whole = Piece();
      if (!whole.ok() || *whole) return whole;
    }
  }
  void Flip(const std::string& name, char letter) {
    for (const std::string& label : device.memory.Labels()) {
      const auto parsed = store::Label::Parse(label);
      if (parsed && label[3] == letter && parsed->id == IdOf(name)) {
        device.memory.Corrupt(label, 100);
        return;
      }
    }
    FAIL("no such object");
  }

  Device device;
  store::Verification verification;
};

}  // namespace

TEST_CASE("a verification in pieces sees what one at once sees") {
  Verifying pieces;
  int count = 1;
  while (!*pieces.Piece()) ++count;
  CHECK(count == 6);
  const auto at_once = pieces.device.store->Verify();
  REQUIRE(at_once.ok());
  CHECK(pieces.verification.report.secrets == at_once->secrets);
  CHECK(pieces.verification.report.bytes == at_once->bytes);
  CHECK(pieces.verification.report.damaged.empty());
}

TEST_CASE("what goes between two pieces is left out, what changes is read, what comes is new") {
  Verifying pieces;
  REQUIRE(pieces.Piece().ok());
  const std::string changed = pieces.NameAt(2);
  const std::string gone = pieces.NameAt(3);
  const std::string deleted = pieces.NameAt(4);
  REQUIRE(pieces.device.Put(changed, "2").ok());
  REQUIRE(pieces.device.Put("new", kOfParts).ok());
  REQUIRE(pieces.device.Remove(deleted).ok());
  REQUIRE(pieces.device.Remove(gone).ok());
  const auto version = pieces.device.Item(gone)->version;
  REQUIRE(pieces.device.store->CollectTombstones({{IdOf(gone), version}}).ok());
  REQUIRE(pieces.device.Item(gone) == nullptr);
  REQUIRE(*pieces.Rest());
  CHECK(pieces.verification.report.secrets == 5);
  CHECK(pieces.verification.report.damaged.empty());
}

TEST_CASE("damage that comes between two pieces is found in what is still to be looked at") {
  for (const char letter : {'h', 'p'}) {
    Verifying pieces;
    REQUIRE(pieces.Piece().ok());
    const std::string victim = pieces.NameAt(4);
    pieces.Flip(victim, letter);
    REQUIRE(*pieces.Rest());
    CHECK(pieces.verification.report.secrets == 6);
    CHECK(pieces.verification.report.damaged == std::vector<store::Id>{IdOf(victim)});
    CHECK(pieces.device.Seen(victim) == "Corrupt");
  }
}

TEST_CASE("a token that is lost between two pieces ends the verification with an error") {
  Verifying pieces;
  REQUIRE(pieces.Piece().ok());
  pieces.device.memory.Unplug();
  CHECK(pieces.Piece().Is(ErrorCode::kUnavailable));
}

TEST_CASE("a token that lost a secret while it was away is no token without damage") {
  Verifying pieces;
  REQUIRE(pieces.Piece().ok());
  const std::string victim = pieces.NameAt(4);
  pieces.device.memory.Unplug();
  for (const std::string& label : pieces.device.memory.Labels()) {
    const auto parsed = store::Label::Parse(label);
    if (parsed && parsed->id == IdOf(victim)) pieces.device.memory.Remove(label);
  }
  pieces.device.memory.Replug();
  REQUIRE(*pieces.Rest());
  CHECK(pieces.verification.report.damaged == std::vector<store::Id>{IdOf(victim)});
}

TEST_CASE("a token that is initialised between two pieces is not found without damage") {
  Verifying pieces;
  REQUIRE(pieces.Piece().ok());
  REQUIRE(pieces.device.store->Initialize(kPool, MemberUid(1), {kEpoch, 1}, true).ok());
  CHECK(pieces.Piece().Is(ErrorCode::kUnavailable));
}

TEST_CASE("damage that was a wrong answer ends with the next verification, and no other does") {
  Device device;
  REQUIRE(device.Put("app", kOfParts).ok());
  std::string part;
  for (const std::string& label : device.memory.Labels()) {
    if (label.starts_with("k1.p")) part = label;
  }
  device.memory.Corrupt(part, 7);
  const auto before = device.store->Digest()->root;
  CHECK(device.store->Verify()->damaged.size() == 1);
  const auto damaged = device.store->Digest()->root;
  CHECK(damaged != before);
  // A verification that is cut short takes nothing back.
  auto begun = device.store->BeginVerify();
  REQUIRE(begun.ok());
  device.faulty->Arm(Fault{.call = 1, .times = 0});
  CHECK(!device.store->VerifyMore(*begun, OneAtATime).ok());
  device.faulty->Arm(std::nullopt);
  CHECK(device.store->Digest()->root == damaged);
  CHECK(device.store->Verify()->damaged.size() == 1);
  device.memory.Corrupt(part, 7);  // flips the same bit again
  CHECK(device.store->Verify()->damaged.empty());
  CHECK(device.store->Digest()->root == before);
}

}  // namespace hsmops::test
