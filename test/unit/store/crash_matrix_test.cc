// Invariant A of protocol.md (1), in memory: whatever call fails, before or after its effect, with
// the process or without, a new store reads the old or the new version, never neither and never a
// mix; what was acknowledged is not lost, not even with the power.
#include <functional>

#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

const std::string kOld(1800, 'o');
const std::string kNew(1800, 'n');

struct Operation {
  const char* name;
  std::function<void(Device&)> prepare;
  std::function<bool(Device&)> act;          // true: acknowledged
  std::function<std::string(Device&)> look;  // what is there now
  std::vector<std::string> before;           // what may be seen unless it was acknowledged
  std::vector<std::string> after;            // what may be seen in any case
};

std::string Versions(Device& device) { return device.Seen("app"); }

// The living version and what is set aside.
std::string WithQuarantine(Device& device) {
  auto inventory = device.store->ReadInventory();
  if (!inventory.ok()) return std::string(base::Name(inventory.code()));
  std::string text = device.Seen("app");
  for (const store::QuarantineItem& item : inventory->quarantine) {
    const auto read = device.store->ReadQuarantined({item.id, item.version});
    text += " aside " + (read.ok() ? TextOf(read->keys) : std::string(base::Name(read.code())));
  }
  return text;
}

store::Write PutOf(const std::string& value) {
  return {.name = NameOf("app"),
          .keys = KeysOf({{"a", value.substr(0, value.size() / 2)}, {"b", value}}),
          .op_id = OpIdOf(250)};
}

std::string SeenOf(const std::string& value) {
  return "a=" + value.substr(0, value.size() / 2) + " b=" + value;
}

void PutOld(Device& device, const std::string& value) { REQUIRE(device.Write(PutOf(value)).ok()); }

bool PutNew(Device& device, const std::string& value) {
  store::Write write = PutOf(value);
  write.op_id = OpIdOf(251);
  const auto first = device.Write(std::move(write));
  if (first.ok() || device.faulty->dead()) return first.ok();
  // The caller does not know; the same opId settles it, whatever the first answer was.
  write = PutOf(value);
  write.op_id = OpIdOf(251);
  const auto second = device.Write(std::move(write));
  CHECK_MESSAGE(second.ok(), second.error().message());
  return second.ok();
}

store::IdVersion Newest(Device& device) {
  return {IdOf("app"), device.store->index().Find(IdOf("app"))->Newest()->version};
}

std::vector<store::Record> NewestRecord(Device& device) {
  std::vector<store::Record> records;
  auto record = device.store->ReadRecord(IdOf("app"));
  REQUIRE(record.ok());
  records.push_back(std::move(*record));
  return records;
}

std::vector<Operation> Operations(const token::Profile& profile) {
  std::vector<Operation> operations;
  const auto nothing = [](Device&) {};
  const auto put = [](std::string value) { return [value](Device& d) { PutOld(d, value); }; };
  const auto renew = [](std::string value) {
    return [value](Device& d) { return PutNew(d, value); };
  };
  operations.push_back(
      {"create of one part", nothing, renew("1"), Versions, {"absent"}, {SeenOf("1")}});
  operations.push_back(
      {"create of six parts", nothing, renew(kNew), Versions, {"absent"}, {SeenOf(kNew)}});
  operations.push_back(
      {"update of one part", put("1"), renew("2"), Versions, {SeenOf("1")}, {SeenOf("2")}});
  operations.push_back(
      {"update of six parts", put(kOld), renew(kNew), Versions, {SeenOf(kOld)}, {SeenOf(kNew)}});
  operations.push_back({"delete",
                        put(kOld),
                        [](Device& d) { return d.Remove("app").ok(); },
                        Versions,
                        {SeenOf(kOld)},
                        {"absent"}});
  operations.push_back(
      {"collect",
       [](Device& d) {
         for (const std::string& value : {kOld, kOld, kOld, kNew}) {
           store::Write write = PutOf(value);
           write.op_id = d.NextOp();
           REQUIRE(d.Write(std::move(write)).ok());
         }
         store::LedgerState state = d.store->state();
         state.epoch = {5, 5};
         REQUIRE(d.store->SetState(state).ok());
         d.memory.Plant(
             "khsm1",
             store::Label{store::Label::Kind::kPart, IdOf("app"), {kEpoch, 2}, 7}.ToString(),
             base::AsBytes("left"));
         d.memory.Plant("hsm-secrets-operator", "app/legacy", base::AsBytes("left"));
         REQUIRE(d.Restart().ok());
       },
       [](Device& d) { return d.store->Collect([] { return true; }).ok(); },
       Versions,
       {},
       {SeenOf(kNew)}});
  operations.push_back({"collect of a tombstone",
                        [](Device& d) {
                          PutOld(d, kOld);
                          REQUIRE(d.Remove("app").ok());
                          d.memory.Plant("hsm-secrets-operator", "app/legacy",
                                         base::AsBytes("left"));
                          REQUIRE(d.Restart().ok());
                        },
                        [](Device& d) { return d.store->CollectTombstones({Newest(d)}).ok(); },
                        Versions,
                        {},
                        {"absent"}});
  operations.push_back({"quarantine",
                        [](Device& d) { PutOld(d, kOld), PutNew(d, kNew); },
                        [](Device& d) { return d.store->Quarantine({Newest(d)}).ok(); },
                        WithQuarantine,
                        {SeenOf(kNew), SeenOf(kNew) + " aside " + SeenOf(kNew)},
                        {SeenOf(kOld) + " aside " + SeenOf(kNew)}});
  operations.push_back(
      {"discard",
       [](Device& d) {
         PutOld(d, kOld), PutNew(d, kNew);
         REQUIRE(d.store->Quarantine({Newest(d)}).ok());
         REQUIRE(d.Restart().ok());
       },
       [](Device& d) {
         const auto inventory = d.store->ReadInventory();
         return inventory.ok() &&
                d.store->DiscardQuarantined({IdOf("app"), inventory->quarantine.at(0).version})
                    .ok();
       },
       WithQuarantine,
       {SeenOf(kOld) + " aside " + SeenOf(kNew)},
       {SeenOf(kOld)}});
  operations.push_back(
      {"epoch bump",
       put(kOld),
       [](Device& d) {
         store::LedgerState state = d.store->state();
         state.epoch = {9, 9};
         state.primary = true;
         return d.store->SetState(state).ok();
       },
       [](Device& d) { return d.Seen("app") + " " + d.store->state().epoch.ToString(); },
       {SeenOf(kOld) + " " + kEpoch.ToString()},
       {SeenOf(kOld) + " " + store::Epoch{9, 9}.ToString()}});
  auto source = std::make_shared<Device>(profile, std::uint8_t{2});
  PutOld(*source, kOld);
  auto first = std::make_shared<std::vector<store::Record>>(NewestRecord(*source));
  PutNew(*source, kNew);
  operations.push_back(
      {"apply",
       [first](Device& d) {
         std::vector<store::Record> records;
         records.push_back((*first)[0].Clone());
         REQUIRE(d.store->Apply(std::move(records), Open)[0].ok());
       },
       [source](Device& d) { return d.store->Apply(NewestRecord(*source), Open)[0].ok(); },
       Versions,
       {SeenOf(kOld)},
       {SeenOf(kNew)}});
  operations.push_back(
      {"initialise again",
       put(kOld),
       [](Device& d) { return d.store->Initialize(kPool, MemberUid(1), {{9, 9}, 1}, true).ok(); },
       [](Device& d) {
         const store::Standing standing = d.store->standing();
         if (standing == store::Standing::kMember) return d.Seen("app");
         return std::string(Name(standing));  // nobody believes it
       },
       {SeenOf(kOld), "Emptied", "Foreign", "Blank", "Unavailable"},
       {"absent"}});
  return operations;
}

bool Contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

struct Tally {
  std::uint64_t fired = 0;
  std::uint64_t violations = 0;
};

// One run; false when its fault found no call.
bool RunOnce(const token::Profile& profile, const Operation& operation, const Fault& fault,
             Tally& tally) {
  Device device(profile);
  operation.prepare(device);
  device.faulty->Arm(fault);
  const bool acknowledged = operation.act(device);
  const bool fired = device.faulty->fired();
  const bool died = device.faulty->dead();
  device.faulty->Arm(std::nullopt);
  const auto check = [&](const char* when, const std::string& seen) {
    const bool good =
        Contains(operation.after, seen) || (!acknowledged && Contains(operation.before, seen));
    if (good) return;
    ++tally.violations;
    const std::string what = std::string(operation.name) + ", " + std::string(profile.name) +
                             ", kind " + std::to_string(static_cast<int>(fault.kind)) +
                             (fault.ends_view ? ", view lost" : "") + " at call " +
                             std::to_string(fault.call) + ", " + when +
                             (acknowledged ? ", acknowledged: " : ": ") + seen.substr(0, 60);
    CHECK_MESSAGE(good, what);
  };
  if (!died) check("the same store", operation.look(device));
  REQUIRE(device.Restart(died).ok());
  const std::string first = operation.look(device);
  check("a new store", first);
  // A version that was answered is not taken back by the next loss of power.
  REQUIRE(device.Restart(true).ok());
  CHECK(operation.look(device) == first);
  if (fired) ++tally.fired;
  return fired;
}

}  // namespace

TEST_CASE("crash matrix: every operation, every call, every way to fail") {
  Tally tally;
  for (const token::Profile* profile : {&kSmallFiles, &kSmallViews}) {
    for (const Operation& operation : Operations(*profile)) {
      for (const auto kind : {Fault::Kind::kFailBefore, Fault::Kind::kFailAfter,
                              Fault::Kind::kDieBefore, Fault::Kind::kDieAfter}) {
        for (const bool ends_view : {true, false}) {
          if (!ends_view && kind >= Fault::Kind::kDieBefore) continue;
          std::uint64_t k = 1;
          while (RunOnce(*profile, operation, {.kind = kind, .call = k, .ends_view = ends_view},
                         tally))
            ++k;
          CHECK_MESSAGE(k > 1, operation.name);
        }
      }
    }
  }
  MESSAGE(tally.fired, " runs fired, ", tally.violations, " violations");
  CHECK(tally.violations == 0);
}

TEST_CASE(
    "crash matrix: a process that dies, and another that dies while it looks and writes again") {
  Tally tally;
  base::SeededRng rng(5);
  for (const token::Profile* profile : {&kSmallFiles, &kSmallViews}) {
    for (int run = 0; run < 400; ++run) {
      Device device(*profile);
      PutOld(device, kOld);
      std::vector<std::string> allowed{SeenOf(kOld)};
      const bool lose = rng.Below(2) == 0;
      for (int life = 0; life < 3; ++life) {
        const auto kind = rng.Below(2) == 0 ? Fault::Kind::kDieBefore : Fault::Kind::kDieAfter;
        device.faulty->Arm(Fault{.kind = kind, .call = 1 + rng.Below(60)});
        if (life > 0) (void)device.store->Open(kPool, MemberUid(1));
        const std::string value(1800, static_cast<char>('1' + life));
        store::Write write = PutOf(value);
        write.op_id = OpIdOf(static_cast<std::uint8_t>(200 + life));
        const bool acknowledged = device.Write(std::move(write)).ok();
        if (acknowledged) allowed.clear();
        allowed.push_back(SeenOf(value));
        if (!device.faulty->dead()) (void)device.store->Collect([] { return true; });
        tally.fired += device.faulty->fired() ? 1 : 0;
        (void)device.Restart(lose);
        device.faulty->Arm(std::nullopt);
      }
      const std::string seen = device.Seen("app");
      if (!Contains(allowed, seen)) ++tally.violations;
      CHECK_MESSAGE(Contains(allowed, seen), "run ", run, ": ", seen.substr(0, 40));
    }
  }
  MESSAGE(tally.fired, " lives cut short, ", tally.violations, " violations");
}

}  // namespace hsmops::test
