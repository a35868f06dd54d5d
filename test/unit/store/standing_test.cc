// Whose token it is, the ledger beside it, and the layout of the older operator.
#include "libhsmops/base/wire.h"
#include "libhsmops/store/ledger.h"
#include "test/support/temp_folder.h"
#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using store::IdVersion;
using store::Ledger;
using store::Standing;
using store::Version;

void PlantLegacy(Device& device, const std::string& label, const std::string& value) {
  device.memory.Plant("hsm-secrets-operator", label, base::AsBytes(value));
}

// An entry of the ledger's log (docs/record-format.md).
void AddEntry(base::Writer& log, std::uint8_t kind, const base::Writer& body) {
  base::Writer entry;
  entry.U8(kind);
  entry.String(body.view());
  log.Raw(entry.view());
  log.Raw(base::ByteView(base::Sha256(entry.view())).first(8));
}

}  // namespace

TEST_CASE("a blank token, an emptied one, one of another pool or member, and a copy") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  CHECK(*device.Restart() == Standing::kMember);

  CHECK(*device.store->Open({7}, MemberUid(1)) == Standing::kForeign);
  CHECK(device.Seen("app") == "Unavailable");
  CHECK(device.store->Initialize({7}, MemberUid(1), {kEpoch, 1}, false).Is(ErrorCode::kConflict));
  CHECK(*device.store->Open(kPool, MemberUid(2)) == Standing::kForeign);
  CHECK(*device.Restart() == Standing::kMember);

  device.memory.SetIdentity({"khsm", "nobody", "memory", "another"});
  CHECK(*device.Restart() == Standing::kForeign);
  CHECK(!device.Put("app", "2").ok());
  device.memory.SetIdentity({"khsm", "nobody", "memory", "serial-1"});
  CHECK(*device.Restart() == Standing::kMember);

  device.memory.Wipe();
  CHECK(*device.Restart() == Standing::kEmptied);
  CHECK(device.Seen("app") == "Unavailable");
  CHECK(!device.Put("app", "2").ok());
  CHECK(!device.store->Digest().ok());
  REQUIRE(device.store->Initialize(kPool, MemberUid(1), {{4, 1}, 1}, true).ok());
  CHECK(device.Seen("app") == "absent");
  CHECK(device.Put("app", "3")->lsn > 1);
}

TEST_CASE("records without an EPOCH object are nobody's") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  device.memory.Remove("k1.e");
  device.ledger = Ledger::InMemory();
  CHECK(*device.Restart() == Standing::kForeign);
  CHECK(device.Seen("app") == "Unavailable");
}

TEST_CASE("a lost ledger is filled again from the token") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  store::LedgerState state = device.store->state();
  state.epoch = {5, 9};
  REQUIRE(device.store->SetState(state).ok());
  device.ledger = Ledger::InMemory();
  CHECK(*device.Restart() == Standing::kMember);
  CHECK(device.store->state().epoch == store::Epoch{5, 9});
  CHECK(device.ledger.Promised(IdOf("app")));
  CHECK(device.Put("b", "1").Is(ErrorCode::kStaleEpoch) == false);
}

TEST_CASE("a state never goes back, and the EPOCH object follows epoch and role") {
  Device device;
  store::LedgerState state = device.store->state();
  state.epoch = {5, 9};
  state.generation = 4;
  REQUIRE(device.store->SetState(state).ok());
  state.generation = 3;
  CHECK(device.store->SetState(state).Is(ErrorCode::kStaleEpoch));
  state.epoch = {4, 99};
  CHECK(device.store->SetState(state).Is(ErrorCode::kStaleEpoch));
  CHECK(device.store->index().epoch()->epoch == store::Epoch{5, 9});
  CHECK(device.Count("k1.e") == 2);
  REQUIRE(device.store->Collect([] { return true; }).ok());
  CHECK(device.Count("k1.e") == 1);
  REQUIRE(device.Restart().ok());
  CHECK(device.store->index().epoch()->epoch == store::Epoch{5, 9});
}

TEST_CASE("an initialisation that fails anywhere can be made again, and the probe survives it") {
  for (std::uint64_t call = 1;; ++call) {
    Device device;
    REQUIRE(device.Put("app", std::string(1800, 'x')).ok());
    device.faulty->Arm(Fault{.kind = Fault::Kind::kFailAfter, .call = call, .ends_view = false});
    const auto first = device.store->Initialize(kPool, MemberUid(1), {{4, 1}, 1}, true);
    const bool fired = device.faulty->fired();
    device.faulty->Arm(std::nullopt);
    (void)device.store->ReadInventory();  // whatever it says, it is still standing
    REQUIRE(device.store->Initialize(kPool, MemberUid(1), {{4, 1}, 1}, true).ok());
    CHECK(device.Seen("app") == "absent");
    CHECK(device.memory.object_count() == 1);
    if (!fired) break;
  }
}

TEST_CASE("records whose EPOCH object is gone are wiped only if a wipe of ours was begun") {
  for (const bool ledger_too : {false, true}) {
    Device device;
    REQUIRE(device.Put("app", "1").ok());
    device.memory.Remove("k1.e");
    if (ledger_too) device.ledger = Ledger::InMemory();
    CHECK(*device.Restart() == (ledger_too ? Standing::kForeign : Standing::kEmptied));
    const auto refused = device.store->Initialize(kPool, MemberUid(1), {{4, 1}, 1}, true);
    CHECK(refused.Is(ErrorCode::kReadOnly));
    CHECK(device.memory.object_count() == 1);
  }
}

TEST_CASE("a wipe that was begun and reached nothing is forgotten when the member is opened") {
  Device device;
  REQUIRE(device.Put("app", "1").ok());
  REQUIRE(device.ledger.SetWiping(true).ok());
  CHECK(*device.Restart() == Standing::kMember);
  CHECK(!device.ledger.wiping());
  device.memory.Remove("k1.e");
  CHECK(*device.Restart() == Standing::kEmptied);
  CHECK(device.store->Initialize(kPool, MemberUid(1), {{4, 1}, 1}, true).Is(ErrorCode::kReadOnly));
}

TEST_CASE("the ledger: that a wipe was begun outlives opening, resetting and rewriting") {
  TempFolder folder;
  const std::string path = folder / "ledger";
  {
    auto ledger = Ledger::Open(path);
    REQUIRE(ledger->Promise({{IdOf("app"), {kEpoch, 1}}}).ok());
    REQUIRE(ledger->SetWiping(true).ok());
  }
  {
    auto ledger = Ledger::Open(path);
    CHECK(ledger->wiping());
    REQUIRE(ledger->Reset({}).ok());
  }
  auto ledger = Ledger::Open(path);
  CHECK(ledger->wiping());
  CHECK(!ledger->Promised(IdOf("app")));
  REQUIRE(ledger->SetWiping(false).ok());
  CHECK(!Ledger::Open(path)->wiping());
}

TEST_CASE("the ledger: a state from before collections were remembered is one that has none") {
  TempFolder folder;
  const std::string path = folder / "ledger";
  base::Writer format, state, log;
  format.U64(0x4B4C454447455231);
  AddEntry(log, 1, format);
  state.Raw(kPool);
  state.Raw(MemberUid(1));
  state.String("serial");
  for (const std::uint64_t number : {3U, 9U, 5U, 8U}) state.U64(number);
  state.Bool(true);
  state.Bool(false);
  for (int i = 0; i < 2; ++i) state.U64(0);
  AddEntry(log, 2, state);
  REQUIRE(base::WriteFile(path, log.view(), 0600).ok());
  {
    auto ledger = Ledger::Open(path);
    REQUIRE(ledger.ok());
    CHECK(ledger->state().lsn == 8);
    CHECK(ledger->state().collected == Version{});
    store::LedgerState next = ledger->state();
    next.collected = {{3, 9}, 7};
    REQUIRE(ledger->SetState(next).ok());
  }
  CHECK(Ledger::Open(path)->state().collected == Version{{3, 9}, 7});
}

TEST_CASE("the ledger: what it promised is there after it is opened again") {
  TempFolder folder;
  const std::string path = folder / "ledger";
  const IdVersion one{IdOf("app"), {kEpoch, 1}};
  const IdVersion two{IdOf("app"), {kEpoch, 2}};
  const IdVersion other{IdOf("other"), {kEpoch, 7}};
  {
    auto ledger = Ledger::Open(path);
    REQUIRE(ledger.ok());
    CHECK(ledger->empty());
    REQUIRE(ledger->Promise({two, other}).ok());
    REQUIRE(ledger->Promise({one}).ok());
    CHECK(ledger->Promised(one.id) == two.version);  // never lowered
  }
  auto ledger = Ledger::Open(path);
  CHECK(ledger->Promised(one.id) == two.version);
  CHECK(ledger->state().lsn == 7);
  REQUIRE(ledger->Forget({other.id}).ok());
  REQUIRE(ledger->Promise({two}).ok());
  ledger = Ledger::Open(path);
  CHECK(!ledger->Promised(other.id));
  CHECK(ledger->state().lsn == 7);  // outlives the promise that showed it
  REQUIRE(ledger->Forget({one.id}).ok());
  REQUIRE(ledger->Promise({one}).ok());  // after Forget a smaller one may be promised
  ledger = Ledger::Open(path);
  CHECK(ledger->Promised(one.id) == one.version);
}

TEST_CASE("the ledger: torn at any byte it is what was complete before, and goes on") {
  TempFolder folder;
  const std::string path = folder / "ledger";
  std::vector<std::size_t> ends;
  {
    auto ledger = Ledger::Open(path);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      ends.push_back(ReadText(path).size());
      REQUIRE(ledger->Promise({{IdOf("app"), {kEpoch, i}}}).ok());
    }
  }
  const std::string whole = ReadText(path);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    CAPTURE(size);
    WriteText(path, whole.substr(0, size));
    auto ledger = Ledger::Open(path);
    const std::size_t format_bytes = 5 + 8 + 8;
    if (size > 0 && size < format_bytes) {
      CHECK(ledger.Is(ErrorCode::kCorrupt));
      continue;
    }
    REQUIRE(ledger.ok());
    std::uint64_t expected = 0;
    for (std::size_t i = 1; i < ends.size(); ++i) expected += size >= ends[i] ? 1 : 0;
    expected += size == whole.size() ? 1 : 0;
    CHECK(ledger->Promised(IdOf("app")).value_or(Version{}).lsn == expected);
    REQUIRE(ledger->Promise({{IdOf("app"), {kEpoch, 9}}}).ok());
    CHECK(Ledger::Open(path)->Promised(IdOf("app"))->lsn == 9);
  }
  std::string broken = whole;
  broken[7] = static_cast<char>(broken[7] ^ 1);
  WriteText(path, broken);
  CHECK(Ledger::Open(path).Is(ErrorCode::kCorrupt));
  WriteText(path, std::string(400, 'z'));
  CHECK(Ledger::Open(path).Is(ErrorCode::kCorrupt));
}

TEST_CASE("the ledger: the log is rewritten while it is open, and loses nothing by it") {
  TempFolder folder;
  const std::string path = folder / "ledger";
  auto ledger = Ledger::Open(path);
  std::vector<IdVersion> many;
  for (std::uint64_t i = 1; i <= 9000; ++i) many.push_back({IdOf("app"), {kEpoch, i}});
  for (std::size_t i = 0; i < many.size(); i += 500) {
    std::vector<IdVersion> batch(many.begin() + static_cast<std::ptrdiff_t>(i),
                                 many.begin() + static_cast<std::ptrdiff_t>(i + 500));
    REQUIRE(ledger->Promise(batch).ok());
  }
  CHECK(ReadText(path).size() < 6000 * 70);
  REQUIRE(ledger->Promise({{IdOf("b"), {kEpoch, 9001}}}).ok());
  ledger = Ledger::Open(path);
  CHECK(ledger->Promised(IdOf("app"))->lsn == 9000);
  CHECK(ledger->Promised(IdOf("b"))->lsn == 9001);
}

TEST_CASE("a legacy secret is read whole by its exact name, and superseded by the first write") {
  Device device;
  PlantLegacy(device, "app/user", "u");
  PlantLegacy(device, "app/pass", "p");
  PlantLegacy(device, "app/_metadata", "{}");
  PlantLegacy(device, "app2/user", "not app's");
  PlantLegacy(device, "team/db/url", "nested");
  PlantLegacy(device, "Bad Name/k", "x");
  PlantLegacy(device, "twice/k", "1");
  PlantLegacy(device, "twice/k", "2");
  PlantLegacy(device, "meta/_metadata", "{}");
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "pass=p user=u");
  CHECK(device.Seen("app2") == "user=not app's");
  CHECK(device.Seen("team/db") == "url=nested");
  CHECK(device.Seen("ap") == "absent");
  CHECK(device.Seen("twice") == "Invalid");
  auto inventory = device.store->ReadInventory();
  CHECK(inventory->legacy.size() == 6);
  int refused = 0;
  for (const store::LegacyItem& item : inventory->legacy) refused += item.reason.empty() ? 0 : 1;
  CHECK(refused == 3);

  REQUIRE(device
              .Write({.name = NameOf("app"),
                      .keys = KeysOf({{"pass", "new"}}),
                      .merge = true,
                      .op_id = {1}})
              .ok());
  CHECK(device.Seen("app") == "pass=new user=u");
  CHECK(device.store->ReadInventory()->legacy.size() == 5);
  REQUIRE(device.Restart().ok());
  REQUIRE(device.store->Collect([] { return true; }).ok());
  CHECK(device.store->ReadLegacy("app").Is(ErrorCode::kNotFound));
  CHECK(device.Seen("app") == "pass=new user=u");
  CHECK(device.Seen("app2") == "user=not app's");
  // Deleted, it does not come back from the older layout.
  REQUIRE(device.Remove("app2").ok());
  CHECK(device.Seen("app2") == "absent");
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app2") == "absent");
  CHECK(*device.store->CollectTombstones({{IdOf("app2"), device.Item("app2")->version}}) == 1);
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app2") == "absent");
}

TEST_CASE("parts that a crash left do not hide a legacy secret") {
  Device device;
  PlantLegacy(device, "app/k", "legacy");
  device.memory.Plant(
      "khsm1", store::Label{store::Label::Kind::kPart, IdOf("app"), {kEpoch, 3}, 0}.ToString(),
      base::AsBytes("x"));
  REQUIRE(device.Restart().ok());
  CHECK(device.Seen("app") == "k=legacy");
  CHECK(device.store->ReadInventory()->legacy.size() == 1);
}

TEST_CASE("a write that expects no version takes a legacy secret's place, and nothing newer's") {
  const auto adopt = [](Device& device, std::uint8_t op) {
    return device.Write({.name = NameOf("app"),
                         .keys = KeysOf({{"k", "legacy"}}),
                         .op_id = {op},
                         .expect = store::Expectation{}});
  };
  for (const bool removed : {false, true}) {
    Device device;
    PlantLegacy(device, "app/k", "legacy");
    REQUIRE(device.Restart().ok());
    REQUIRE((removed ? device.Remove("app").ok() : device.Put("app", "written since").ok()));
    CHECK(adopt(device, 1).Is(ErrorCode::kConflict));
    CHECK(device.Seen("app") == (removed ? "absent" : "k=written since"));
  }
  Device device;
  PlantLegacy(device, "app/k", "legacy");
  REQUIRE(device.Restart().ok());
  CHECK(adopt(device, 1).ok());
}

}  // namespace hsmops::test
