// What a store answers when nothing goes wrong, on tokens of both kinds.
#include "libhsmops/store/secret_store.h"

#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using store::SecretName;
using store::Standing;

const token::Profile* const kReal[] = {&token::kSoftHsm, &token::kGeneric};

}  // namespace

TEST_CASE("names are taken exactly or refused, never cleaned") {
  for (const std::string good :
       {"app", "app2", "app-prod", "app/db", "a", "0", "a.b_c-d", "a/b/c/d"}) {
    CHECK_MESSAGE(SecretName::Parse(good).ok(), good);
  }
  CHECK(SecretName::Parse(std::string(253, 'a')).ok());
  for (const std::string bad :
       {"",       "/",           "/app",    "app/",  "app//db", ".",    "..",   "app/..",
        "../app", "App",         "app db",  "app\n", "-app",    "app-", "app.", "_app",
        "a\x01b", "caf\xc3\xa9", "app\\db", "a\xff", "app*",    "~"}) {
    CHECK_MESSAGE(SecretName::Parse(bad).Is(ErrorCode::kInvalid), bad);
  }
  CHECK(SecretName::Parse(std::string(254, 'a')).Is(ErrorCode::kInvalid));
  CHECK(SecretName::Parse(std::string("a\0b", 3)).Is(ErrorCode::kInvalid));
  // What is told of a name never writes to the terminal by itself.
  const auto escape = SecretName::Parse("a\x1b[2Jb");
  CHECK(escape.error().message().find('\x1b') == std::string::npos);
}

TEST_CASE("what was put is read, and one name is never taken for another") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    const std::vector<std::string> names{"app", "app2", "app-prod", "app/db",
                                         std::string(253, 'x')};
    for (const std::string& name : names) REQUIRE(device.Put(name, "of " + name).ok());
    CHECK(device.Seen("ap") == "absent");
    CHECK(device.Seen("app/d") == "absent");
    CHECK(device.Seen("app/db/x") == "absent");
    for (const bool again : {false, true}) {
      for (const std::string& name : names) CHECK(device.Seen(name) == "k=of " + name);
      if (!again) REQUIRE(*device.Restart() == Standing::kMember);
    }
  }
}

TEST_CASE("values of 0 bytes and of 1 MiB") {
  for (const token::Profile* profile : kReal) {
    Device device(*profile);
    REQUIRE(device.Put("empty", "").ok());
    // One head names all parts, so objects of 1 KiB hold a chain of certificates and no more.
    const std::string large(profile == &token::kSoftHsm ? 1 << 20 : 20 << 10, 'L');
    REQUIRE(device.Put("large", large).ok());
    REQUIRE(device.Restart(true).ok());
    CHECK(device.Seen("empty") == "k=");
    CHECK(device.Seen("large") == "k=" + large);
  }
}

TEST_CASE("an update replaces all keys, a merge only those it names") {
  Device device;
  REQUIRE(device.Put("app", KeysOf({{"a", "1"}, {"b", "2"}})).ok());
  REQUIRE(device.Put("app", KeysOf({{"b", "3"}, {"c", "4"}})).ok());
  CHECK(device.Seen("app") == "b=3 c=4");
  REQUIRE(device
              .Write({.name = NameOf("app"),
                      .keys = KeysOf({{"a", "5"}, {"b", "6"}}),
                      .merge = true,
                      .op_id = device.NextOp()})
              .ok());
  CHECK(device.Seen("app") == "a=5 b=6 c=4");
}

TEST_CASE("versions go on across names and epochs, and are never used twice") {
  Device device;
  const auto first = device.Put("a", "1");
  const auto second = device.Put("b", "1");
  REQUIRE(device.Restart().ok());
  const auto third = device.Put("a", "2");
  REQUIRE(third.ok());
  CHECK(second->lsn == first->lsn + 1);
  CHECK(third->lsn == second->lsn + 1);
  const auto later = device.Write(
      {.name = NameOf("a"), .keys = KeysOf({{"k", "3"}}), .op_id = device.NextOp()}, {4, 1});
  CHECK(later->lsn == third->lsn + 1);
  CHECK(device
            .Stage({.name = NameOf("a"), .keys = KeysOf({{"k", "4"}}), .op_id = device.NextOp()},
                   kEpoch)
            .Is(ErrorCode::kStaleEpoch));
  CHECK(device.Seen("a") == "k=3");
}

TEST_CASE("a precondition that does not hold is a conflict and writes nothing") {
  Device device;
  const auto version = device.Put("app", "1");
  const std::size_t objects = device.memory.object_count();
  const auto attempt = [&](std::string_view name, std::string_view expect) {
    return device.Write({.name = NameOf(name),
                         .keys = KeysOf({{"k", "2"}}),
                         .op_id = device.NextOp(),
                         .expect = *store::Expectation::Parse(expect)});
  };
  CHECK(attempt("app", "absent").Is(ErrorCode::kConflict));
  CHECK(attempt("app", "3.99").Is(ErrorCode::kConflict));
  CHECK(attempt("other", version->ToString()).Is(ErrorCode::kConflict));
  CHECK(attempt("app", version->ToString() + ".00000000deadbeef").Is(ErrorCode::kConflict));
  CHECK(device.memory.object_count() == objects);
  CHECK(attempt("app", version->Full()).ok());
  CHECK(attempt("other", "absent").ok());
  for (const char* bad : {"", "3", "3.", ".3", "3.4.", "3.4.5", "-1.2", "3.4x", "Absent"}) {
    CHECK_MESSAGE(store::Expectation::Parse(bad).Is(ErrorCode::kInvalid), bad);
  }
}

TEST_CASE("the same opId again is not done twice, also after a restart and after later writes") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    const auto write = [](std::uint8_t op, const char* value) {
      return store::Write{
          .name = NameOf("app"), .keys = KeysOf({{"k", value}}), .op_id = OpIdOf(op)};
    };
    const auto first = device.Stage(write(201, "1"));
    REQUIRE(first.ok());
    CHECK(!first->repeated);
    const auto again = device.Stage(write(201, "1"));
    REQUIRE(again.ok());
    CHECK(again->repeated);
    CHECK(again->version == first->version);
    CHECK(again->record.head == first->record.head);
    REQUIRE(device.Stage(write(202, "2")).ok());
    REQUIRE(device.Restart().ok());
    CHECK(device.Stage(write(201, "1"))->repeated);
    CHECK(device.Seen("app") == "k=2");
  }
}

TEST_CASE("delete: a tombstone reads as absent, and what was not there cannot be removed") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    CHECK(device.Remove("app").Is(ErrorCode::kNotFound));
    const auto never = device.store->Digest()->root;
    REQUIRE(device.Put("app", "1").ok());
    const auto gone = device.Remove("app");
    REQUIRE(gone.ok());
    CHECK(device.Seen("app") == "absent");
    CHECK(device.Item("app")->state == store::InventoryItem::State::kTombstone);
    CHECK(device.Remove("app").Is(ErrorCode::kNotFound));
    REQUIRE(device.Restart().ok());
    CHECK(device.Seen("app") == "absent");
    REQUIRE(device.store->Digest().ok());
    CHECK(device.store->Digest()->root != never);  // who knows of it is not equal to who does not
    CHECK(*device.store->CollectTombstones({{IdOf("app"), *gone}}) == 1);
    CHECK(device.store->Digest()->root == never);
    CHECK(device.Seen("app") == "absent");
    CHECK(device.Count("k1.h") == 0);
    REQUIRE(device.Restart().ok());
    CHECK(device.Seen("app") == "absent");
    CHECK(device.store->state().collected == *gone);
    const auto again = device.Put("app", "2");
    CHECK(again->lsn > gone->lsn);
  }
}

TEST_CASE("only exactly the named tombstone is collected, and never a living secret") {
  Device device;
  const auto alive = device.Put("app", "1");
  CHECK(*device.store->CollectTombstones({{IdOf("app"), *alive}}) == 0);
  const auto gone = device.Remove("app");
  REQUIRE(device.Restart().ok());
  CHECK(*device.store->CollectTombstones({{IdOf("app"), *alive}}) == 0);
  CHECK(*device.store->CollectTombstones({{IdOf("none"), *gone}}) == 0);
  REQUIRE(device.Put("app", "2").ok());
  REQUIRE(device.Restart().ok());
  CHECK(*device.store->CollectTombstones({{IdOf("app"), *gone}}) == 0);
  CHECK(device.Seen("app") == "k=2");
}

TEST_CASE("a batch: one name once, each write with its own result") {
  Device device;
  std::vector<store::Write> writes;
  const auto add = [&](const char* name, bool remove = false) {
    writes.push_back({.name = NameOf(name),
                      .keys = remove ? store::Keys() : KeysOf({{"k", name}}),
                      .remove = remove,
                      .op_id = device.NextOp()});
  };
  add("a");
  add("b");
  add("a");
  add("none", true);
  add("c");
  writes.push_back({.name = NameOf("bad"), .keys = KeysOf({{"../x", "1"}})});
  writes.push_back({.name = NameOf("both"), .keys = KeysOf({{"k", "1"}}), .remove = true});
  writes.push_back({.name = NameOf("nothing")});
  const auto staged = device.store->Stage(std::move(writes), kEpoch, 512, Open);
  REQUIRE(staged.size() == 8);
  CHECK(staged[0].ok());
  CHECK(staged[1].ok());
  CHECK(staged[2].Is(ErrorCode::kInvalid));
  CHECK(staged[3].Is(ErrorCode::kNotFound));
  CHECK(staged[4].ok());
  CHECK(staged[5].Is(ErrorCode::kInvalid));
  CHECK(staged[6].Is(ErrorCode::kInvalid));
  CHECK(staged[7].Is(ErrorCode::kInvalid));
  CHECK(device.Seen("c") == "k=c");
}

TEST_CASE("a gate that closes before a head is created stops that write and no more") {
  Device device;
  REQUIRE(device.Put("a", "old").ok());
  int asked = 0;
  std::vector<store::Write> writes;
  for (const char* name : {"a", "b", "c"}) {
    writes.push_back(
        {.name = NameOf(name), .keys = KeysOf({{"k", "new"}}), .op_id = device.NextOp()});
  }
  const auto staged =
      device.store->Stage(std::move(writes), kEpoch, 512, [&]() -> base::Result<void> {
        if (++asked == 4 || asked == 6) return base::Error(ErrorCode::kReadOnly, "closed");
        return {};
      });
  CHECK(staged[0].Is(ErrorCode::kReadOnly));
  CHECK(staged[1].ok());
  CHECK(staged[2].Is(ErrorCode::kReadOnly));
  CHECK(device.Seen("a") == "k=old");
  CHECK(device.Seen("b") == "k=new");
  CHECK(device.Seen("c") == "absent");
}

TEST_CASE("limits refuse before the first call") {
  Device device;
  device.faulty->Arm(Fault{});
  device.faulty->Arm(std::nullopt);
  const std::size_t objects = device.memory.object_count();
  CHECK(device.Put("app", std::string(9000, 'x')).Is(ErrorCode::kLimit));
  const token::Profile tiny{"generic", 512, 6, token::Proof::kFreshView, 0};
  Device full(tiny);
  REQUIRE(full.Put("a", "1").ok());
  CHECK(Device(token::kGeneric, 4).Put("app", std::string(1 << 20, 'x')).Is(ErrorCode::kLimit));
  CHECK(full.Put("b", std::string(3000, 'x')).Is(ErrorCode::kLimit));
  CHECK(full.Count("k1.p") == 0);
  CHECK(device.memory.object_count() == objects);
  // A record whose parts are larger than this token's objects, whatever its head is.
  Device source(token::kSoftHsm, 2);
  const auto staged = source.Stage(
      {.name = NameOf("app"), .keys = KeysOf({{"k", std::string(70000, 'x')}}), .op_id = {1}});
  REQUIRE(staged.ok());
  std::vector<store::Record> records;
  records.push_back(staged->record.Clone());
  const auto applied = device.store->Apply(std::move(records), Open);
  CHECK(applied[0].Is(ErrorCode::kLimit));
  CHECK(device.memory.object_count() == objects);
}

TEST_CASE("a token that is full for values takes deletions") {
  const token::Profile hundred{"generic", 512, 100, token::Proof::kFreshView, 0};
  Device device(hundred);
  REQUIRE(device.Put("app", "1").ok());
  int more = 0;
  while (more < 200 && device.Put("n" + std::to_string(more), "1").ok()) ++more;
  CHECK(device.Put("app", "2").Is(ErrorCode::kLimit));
  CHECK(device.Remove("app").ok());
  CHECK(device.Seen("app") == "absent");
  // The reserve is of two objects, and collecting gives back what a deletion took.
  CHECK(device.Remove("n0").ok());
  CHECK(device.Remove("n1").Is(ErrorCode::kLimit));
  CHECK(device.Seen("n1") == "k=1");
}

TEST_CASE("a token that swallows writes never gets one acknowledged") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    REQUIRE(device.Put("app", "old").ok());
    device.memory.SwallowWrites(true);
    CHECK(!device.Put("app", "new").ok());
    CHECK(!device.Put("other", std::string(1500, 'x')).ok());
    device.memory.SwallowWrites(false);
    CHECK(device.Seen("app") == "k=old");
    CHECK(device.Seen("other") == "absent");
    REQUIRE(device.Restart(true).ok());
    CHECK(device.Seen("app") == "k=old");
    CHECK(device.Put("app", "new").ok());
  }
}

TEST_CASE("a token that is full at any object refuses and keeps what was") {
  for (const token::Profile* profile : kBothProfiles) {
    for (std::size_t room = 0; room < 6; ++room) {
      Device device(*profile);
      REQUIRE(device.Put("app", "old").ok());
      device.memory.SetMaxObjects(device.memory.object_count() + room);
      const auto put = device.Put("app", std::string(1800, 'n'));
      CHECK(put.ok() == (room == 5));
      if (!put.ok()) CHECK(put.Is(ErrorCode::kLimit));
      REQUIRE(device.Restart(true).ok());
      CHECK(device.Seen("app") == (put.ok() ? "k=" + std::string(1800, 'n') : "k=old"));
    }
  }
}

TEST_CASE("collect keeps the newest and the one before, and nothing of older ones") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    for (int i = 0; i < 5; ++i) {
      REQUIRE(device.Put("app", std::string(1800, static_cast<char>('0' + i))).ok());
    }
    REQUIRE(device.Restart().ok());
    int steps = 2;
    auto report = device.store->Collect([&] { return steps-- > 0; });
    CHECK(report->more);
    REQUIRE(device.store->Collect([] { return true; }).ok());
    CHECK(device.Count("k1.h") == 2);
    CHECK(device.Count("k1.p") == 8);
    CHECK(device.store->index().objects() == device.memory.object_count());
    REQUIRE(device.Restart().ok());
    CHECK(device.Seen("app") == "k=" + std::string(1800, '4'));
  }
}

TEST_CASE("when room is tight the version before goes too") {
  const token::Profile tight{"softhsm", 512, 8, token::Proof::kFiles, 0};
  Device device(tight);
  for (const char* value : {"1", "2", "3", "4", "5", "6"}) REQUIRE(device.Put("app", value).ok());
  REQUIRE(device.Restart().ok());
  REQUIRE(device.store->Collect([] { return true; }).ok());
  CHECK(device.Count("k1.h") <= 2);
  CHECK(device.Seen("app") == "k=6");
}

TEST_CASE("what is not proven by a new view is not a reason to destroy what stood before") {
  Device device;  // softhsm: no new view of its own after a write
  for (const char* value : {"1", "2", "3"}) REQUIRE(device.Put("app", value).ok());
  REQUIRE(device.store->Collect([] { return true; }).ok());
  CHECK(device.Count("k1.h") == 3);
}

TEST_CASE("only what Promise names is acknowledged, until the store is opened again") {
  for (const token::Profile* profile : kBothProfiles) {
    Device device(*profile);
    const auto staged = device.Stage(
        {.name = NameOf("app"), .keys = KeysOf({{"k", "1"}}), .op_id = device.NextOp()});
    REQUIRE(staged.ok());
    CHECK(!device.ledger.Promised(staged->id));
    device.memory.Unplug();
    CHECK(device.Seen("app") == "Unavailable");
    device.memory.Replug();
    CHECK(device.Seen("app") == "k=1");  // a new view of the same run
    CHECK(!device.ledger.Promised(staged->id));
    REQUIRE(device.Restart().ok());
    CHECK(device.ledger.Promised(staged->id) == staged->version);
  }
}

TEST_CASE("equal content gives an equal digest, and any difference another one") {
  Device a(kSmallFiles, 1);
  Device b(kSmallViews, 2);
  CHECK(a.store->Digest()->root == b.store->Digest()->root);
  const auto mirror = [&](const store::Staged& staged) {
    std::vector<store::Record> records;
    records.push_back(staged.record.Clone());
    return b.store->Apply(std::move(records), Open);
  };
  for (int i = 0; i < 40; ++i) {
    const std::string name = "app" + std::to_string(i % 13);
    const bool remove = i % 7 == 6 && a.Seen(name) != "absent";
    const auto staged =
        a.Stage({.name = NameOf(name),
                 .keys = remove ? store::Keys() : KeysOf({{"k", std::to_string(i)}}),
                 .remove = remove,
                 .op_id = a.NextOp()});
    REQUIRE(staged.ok());
    CHECK(a.store->Digest()->root != b.store->Digest()->root);
    const auto applied = mirror(*staged);
    REQUIRE(applied[0].ok());
    CHECK(*applied[0] == store::Applied::kWritten);
    CHECK(a.store->Digest()->root == b.store->Digest()->root);
    CHECK(*mirror(*staged)[0] == store::Applied::kEqual);
  }
  // Kept up to date by every change, it is what a new store computes.
  const auto kept = a.store->Digest()->root;
  REQUIRE(a.Restart().ok());
  CHECK(a.store->Digest()->root == kept);
}

TEST_CASE("apply: older is superseded, another content of one version is a conflict") {
  Device source(kSmallFiles, 1);
  Device other(kSmallFiles, 3);
  Device mirror(kSmallFiles, 2);
  const auto stage = [](Device& device, const char* value, std::uint8_t op) {
    auto staged =
        device.Stage({.name = NameOf("app"), .keys = KeysOf({{"k", value}}), .op_id = OpIdOf(op)});
    REQUIRE(staged.ok());
    return std::move(*staged);
  };
  const auto apply = [&](const store::Record& record) {
    std::vector<store::Record> records;
    records.push_back(record.Clone());
    return std::move(mirror.store->Apply(std::move(records), Open)[0]);
  };
  const auto one = stage(source, "1", 100);
  const auto two = stage(source, "2", 101);
  const auto clash = stage(other, "x", 102);
  CHECK(clash.version == one.version);
  CHECK(*apply(one.record) == store::Applied::kWritten);
  CHECK(apply(clash.record).Is(ErrorCode::kConflict));
  CHECK(*apply(two.record) == store::Applied::kWritten);
  CHECK(*apply(one.record) == store::Applied::kSuperseded);
  CHECK(mirror.Seen("app") == "k=2");
  store::Record torn = two.record.Clone();
  torn.head.resize(torn.head.size() - 1);
  CHECK(apply(torn).Is(ErrorCode::kCorrupt));
  store::Head foreign;
  foreign.pool = {7};
  foreign.name = "app";
  foreign.version = {kEpoch, 99};
  CHECK(apply(*store::Encode(foreign, KeysOf({{"k", "1"}}), 512)).Is(ErrorCode::kInvalid));
}

}  // namespace hsmops::test
