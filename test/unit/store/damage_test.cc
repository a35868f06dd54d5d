// What a store says when its token has lost or changed something.
#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using State = store::InventoryItem::State;

const std::string kLongValue(1800, 'v');

// A second member with the same content: what repairs the first.
void Repair(Device& device, Device& source, std::string_view name) {
  auto record = source.store->ReadRecord(IdOf(name));
  REQUIRE(record.ok());
  std::vector<store::Record> records;
  records.push_back(std::move(*record));
  const auto applied = device.store->Apply(std::move(records), Open);
  REQUIRE_MESSAGE(applied[0].ok(), applied[0].error().message());
  CHECK(*applied[0] == store::Applied::kWritten);
}

void Mirror(Device& from, Device& to, std::string_view name) {
  auto record = from.store->ReadRecord(IdOf(name));
  REQUIRE(record.ok());
  std::vector<store::Record> records;
  records.push_back(std::move(*record));
  REQUIRE(to.store->Apply(std::move(records), Open)[0].ok());
}

}  // namespace

TEST_CASE(
    "a head or a part that is corrupt or gone is Damaged, in read, inventory, digest and verify") {
  for (const token::Profile* profile : kBothProfiles) {
    for (const std::string how : {"flip head", "remove head", "flip part", "remove part"}) {
      CAPTURE(how);
      Device device(*profile, 1);
      Device source(*profile, 2);
      REQUIRE(device.Put("app", kLongValue).ok());
      REQUIRE(device.Put("app", kLongValue + "2").ok());
      Mirror(device, source, "app");
      const auto whole = device.store->Digest()->root;
      CHECK(source.store->Digest()->root == whole);
      const store::Version newest = device.Item("app")->version;
      const char letter = how.ends_with("head") ? 'h' : 'p';
      std::string victim;
      for (const std::string& label : device.memory.Labels()) {
        const auto parsed = store::Label::Parse(label);
        if (parsed && label[3] == letter && parsed->version == newest) victim = label;
      }
      if (how.starts_with("flip")) {
        device.memory.Corrupt(victim, 100);
      } else {
        device.memory.Remove(victim);
      }
      const auto verified = device.store->Verify();
      REQUIRE(verified.ok());
      CHECK(verified->damaged == std::vector<store::Id>{IdOf("app")});
      CHECK(device.Seen("app") == "Corrupt");
      CHECK(device.Item("app")->state == State::kDamaged);
      CHECK(device.Item("app")->version == newest);
      CHECK(device.store->Digest()->root != whole);
      CHECK(device.Put("app", "over it").Is(ErrorCode::kCorrupt));
      CHECK(device.store->ReadRecord(IdOf("app")).Is(ErrorCode::kCorrupt));
      // Nothing of it is destroyed, and nothing older may hide it.
      REQUIRE(device.store->Collect([] { return true; }).ok());
      if (how != "flip part") {  // that one only a reader of all bytes finds
        REQUIRE(device.Restart().ok());
        CHECK(device.Seen("app") == "Corrupt");
      }
      Repair(device, source, "app");
      CHECK(device.Seen("app") == "k=" + kLongValue + "2");
      CHECK(device.store->Digest()->root == whole);
      REQUIRE(device.Restart().ok());
      CHECK(device.Seen("app") == "k=" + kLongValue + "2");
      CHECK(device.store->Verify()->damaged.empty());
      REQUIRE(device.store->Collect([] { return true; }).ok());
      REQUIRE(device.Restart().ok());
      CHECK(device.Seen("app") == "k=" + kLongValue + "2");
    }
  }
}

TEST_CASE("a promised secret of which nothing is left is Damaged, not absent") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  REQUIRE(device.Put("other", "1").ok());
  device.memory.Remove(device.LabelWith(
      store::Label{store::Label::Kind::kHead, IdOf("app"), device.Item("app")->version, 0}
          .ToString()));
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "Corrupt");
  CHECK(device.Item("app")->state == State::kDamaged);
  CHECK(device.store->Verify()->damaged.size() == 1);
  CHECK(device.Seen("other") == "k=1");
}

TEST_CASE("an unreadable object below the newest is garbage and is collected") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  const std::string old = device.LabelWith("k1.h");
  REQUIRE(device.Put("app", "2").ok());
  device.memory.Corrupt(old, 50);
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "k=2");
  REQUIRE(device.store->Collect([] { return true; }).ok());
  CHECK(device.Count("k1.h") == 1);
}

TEST_CASE("a wrong answer in one view is asked again in another") {
  for (const auto lie :
       {Fault::Kind::kTruncate, Fault::Kind::kFlip, Fault::Kind::kEmpty, Fault::Kind::kStale}) {
    for (std::uint64_t read = 1; read < 14; ++read) {
      Device device;
      REQUIRE(device.Put("app", kLongValue).ok());
      REQUIRE(device.Put("b", "2").ok());
      device.memory.Crash(false);
      device.faulty->Arm(Fault{.kind = lie, .call = read});
      CHECK(*device.store->Open(kPool, MemberUid(1)) == store::Standing::kMember);
      CHECK(device.Seen("app") == "k=" + kLongValue);
      CHECK(device.Seen("b") == "k=2");
      CHECK(device.Put("b", "3").ok());
      CHECK(device.Seen("b") == "k=3");
    }
  }
}

TEST_CASE("a failed call is never an absent secret") {
  for (const bool ends_view : {true, false}) {
    for (std::uint64_t call = 1; call < 40; ++call) {
      Device device;
      REQUIRE(device.Put("app", kLongValue).ok());
      device.memory.Crash(false);
      device.faulty->Arm(Fault{.call = call, .ends_view = ends_view});
      const auto opened = device.store->Open(kPool, MemberUid(1));
      if (!opened.ok()) CHECK(opened.Is(ErrorCode::kUnavailable));
      const std::string seen = device.Seen("app");
      CHECK((seen == "Unavailable" || seen == "k=" + kLongValue));
      const auto digest = device.store->ReadInventory();
      if (digest.ok()) CHECK(digest->items.size() == 1);
      CHECK(device.Seen("app") == "k=" + kLongValue);
    }
  }
}

TEST_CASE("verify goes on over a call that fails and a view that ends") {
  for (std::uint64_t call = 1; call < 60; ++call) {
    Device device;
    for (const char* name : {"a", "b", "c"}) REQUIRE(device.Put(name, kLongValue).ok());
    device.faulty->Arm(Fault{.call = call});
    const auto report = device.store->Verify();
    if (report.ok()) {
      CHECK(report->secrets == 3);
      CHECK(report->damaged.empty());
    } else {
      CHECK(report.Is(ErrorCode::kUnavailable));
    }
  }
}

TEST_CASE("a token full of random bytes is read without harm, and none of it is touched") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Device device;
    REQUIRE(device.Put("app", "1").ok());
    base::SeededRng rng(seed);
    const store::Version version = device.Item("app")->version;
    for (int i = 0; i < 60; ++i) {
      base::Bytes noise(rng.Below(200));
      rng.Fill(noise);
      std::string label(noise.begin(),
                        noise.begin() + static_cast<std::ptrdiff_t>(noise.size() / 2));
      store::Label ours{static_cast<store::Label::Kind>(rng.Below(4)),
                        rng.Array<20>(),
                        {kEpoch, rng.Below(9)},
                        static_cast<std::uint32_t>(rng.Below(3))};
      if (rng.Below(2) == 0) label = ours.ToString();
      ours.id = IdOf("app");
      ours.version = {kEpoch, rng.Below(version.lsn + 1)};
      if (rng.Below(5) == 0 && ours.version < version) label = ours.ToString();
      device.memory.Plant(rng.Below(4) == 0 ? "hsm-secrets-operator" : "khsm1", label, noise);
    }
    REQUIRE(*device.Restart() == store::Standing::kMember);
    CHECK(device.Seen("app") == "k=1");
    CHECK(device.store->ReadInventory().ok());
    CHECK(device.store->Verify().ok());
    CHECK(device.Put("app", "2").ok());
    CHECK(device.store->Collect([] { return true; }).ok());
    CHECK(device.Seen("app") == "k=2");
    REQUIRE(device.Restart().ok());
    CHECK(device.Seen("app") == "k=2");
  }
}

TEST_CASE("a secret that names another in its head is not taken for it") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  REQUIRE(device.Put("other", "2").ok());
  store::Head head;
  head.pool = kPool;
  head.name = "other";
  head.version = {kEpoch, 50};
  const auto record = store::Encode(head, KeysOf({{"k", "stolen"}}), 512);
  device.memory.Plant(
      "khsm1", store::Label{store::Label::Kind::kHead, IdOf("app"), head.version, 0}.ToString(),
      record->head.view());
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "Corrupt");
  CHECK(device.Seen("other") == "k=2");
}

TEST_CASE("quarantine sets one version aside, keeps it, and answers what stood below") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    REQUIRE(device.Put("app", kLongValue + "1").ok());
    const auto two = device.Put("app", kLongValue + "2");
    const store::IdVersion aside{IdOf("app"), *two};
    REQUIRE(device.store->Quarantine({aside}).ok());
    for (const bool again : {false, true}) {
      CHECK(device.Seen("app") == "k=" + kLongValue + "1");
      CHECK(device.Item("app")->state == State::kPresent);
      CHECK(device.inventory.quarantine.size() == 1);
      CHECK(TextOf(device.store->ReadQuarantined(aside)->keys) == "k=" + kLongValue + "2");
      if (!again) REQUIRE(device.Restart().ok());
    }
    CHECK(device.store->Quarantine({aside}).ok());  // once more is nothing
    CHECK(device.store->ReadQuarantined({IdOf("b"), *two}).Is(ErrorCode::kNotFound));
    // It outlives writes, collections and a reinit.
    for (const char* value : {"3", "4", "5"}) REQUIRE(device.Put("app", value).ok());
    REQUIRE(device.Restart().ok());
    REQUIRE(device.store->Collect([] { return true; }).ok());
    CHECK(TextOf(device.store->ReadQuarantined(aside)->keys) == "k=" + kLongValue + "2");
    REQUIRE(device.store->Initialize(kPool, MemberUid(1), {kEpoch, 1}, true).ok());
    CHECK(device.Seen("app") == "absent");
    CHECK(TextOf(device.store->ReadQuarantined(aside)->keys) == "k=" + kLongValue + "2");
    REQUIRE(device.store->DiscardQuarantined(aside).ok());
    CHECK(device.store->DiscardQuarantined(aside).Is(ErrorCode::kNotFound));
    CHECK(device.Count("k1.q") == 0);
    CHECK(device.Count("k1.p") == 0);
  }
}

TEST_CASE("a version above that was set aside does not hide the loss of the one below") {
  Device device;
  const auto one = device.Put("app", "1");
  const auto two = device.Put("app", "2");
  REQUIRE(device.Restart().ok());
  REQUIRE(device.store->Quarantine({{IdOf("app"), *two}}).ok());
  CHECK(device.Seen("app") == "k=1");
  device.memory.Remove(store::Label{store::Label::Kind::kHead, IdOf("app"), *one, 0}.ToString());
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "Corrupt");
}

TEST_CASE(
    "a quarantine that a crash cut in two is discarded or collected without harm to the other "
    "half") {
  const auto halfway = [](Device& device) {
    REQUIRE(device.Put("app", kLongValue + "1").ok());
    const auto two = device.Put("app", kLongValue + "2");
    const store::IdVersion aside{IdOf("app"), *two};
    // The copy is there, the head in its place too: the process died at the destroy.
    const auto head = device.store->ReadRecord(aside.id);
    device.memory.Plant("khsm1",
                        store::Label{store::Label::Kind::kQuarantine, aside.id, *two, 0}.ToString(),
                        head->head.view());
    REQUIRE(device.Restart().ok());
    return aside;
  };
  {
    Device device;
    const auto aside = halfway(device);
    REQUIRE(device.store->DiscardQuarantined(aside).ok());
    CHECK(device.Seen("app") == "k=" + kLongValue + "2");
    REQUIRE(device.Restart().ok());
    CHECK(device.Seen("app") == "k=" + kLongValue + "2");
  }
  {
    Device device;
    const auto aside = halfway(device);
    for (const char* value : {"3", "4", "5"}) REQUIRE(device.Put("app", value).ok());
    REQUIRE(device.Restart().ok());
    REQUIRE(device.store->Collect([] { return true; }).ok());
    CHECK(TextOf(device.store->ReadQuarantined(aside)->keys) == "k=" + kLongValue + "2");
  }
}

}  // namespace hsmops::test
