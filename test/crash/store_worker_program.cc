// Does one operation on one token through agent::Agent, as a token's process does, and says what
// was acknowledged. The crash and kill tiers start it in front of the fault module, and without it
// to look.
//
//   store_worker URI STATE_FOLDER prepare OPERATION   what the operation needs to be there
//   store_worker URI STATE_FOLDER do OPERATION
//       "acknowledged", "read TEXT" or "error CODE: MESSAGE"
//   store_worker URI STATE_FOLDER check OPERATION     "look TEXT", does it again, its answer,
//                                                     "look TEXT"
//   store_worker URI STATE_FOLDER look
//   store_worker URI STATE_FOLDER init
//   store_worker URI STATE_FOLDER write COUNT PAUSE
//       writes app, and says "wrote N" after each acknowledgement
//   store_worker URI STATE_FOLDER many COUNT          "all there" or "some are missing"
//   store_worker URI STATE_FOLDER get                 "app N", "app absent" or "error CODE:
//   MESSAGE"
// TEXT has standing, role, epoch, frozen target, the secrets and what is set aside; no versions.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "libhsmops/agent/agent.h"
#include "libhsmops/token/pkcs11_token.h"

namespace {

using namespace hsmops;
namespace fs = std::filesystem;
using base::ErrorCode;
using base::Result;
using std::chrono::seconds;
using store::Epoch;

constexpr store::Uid kPool{1, 2, 3};
constexpr store::Uid kMember{9, 9, 1};
constexpr Epoch kEpoch{3, 0xC0FFEE};
constexpr Epoch kNext{4, 0xBEEF};

store::SecretName NameOf(const char* text) { return *store::SecretName::Parse(text); }
store::Id IdOf(const char* text) { return store::IdOf(kPool, NameOf(text)); }

store::Keys One(const std::string& value) {
  store::Keys keys;
  keys.emplace("k", base::SecretBytes::FromText(value));
  return keys;
}

const std::string kFour(100'000, 'f');
const std::string kFourNew(100'000, 'g');
const std::string kTwo(40'000, 't');

struct World {
  base::SystemClock clock;
  base::SystemRng rng;
  std::unique_ptr<token::Pkcs11Token> token;
  std::optional<store::Ledger> ledger;
  std::optional<agent::Agent> agent;
  std::string state;

  Result<void> Open(const char* uri_text, const std::string& state_folder) {
    state = state_folder;
    HSM_TRY(token::Uri uri, token::Uri::Parse(uri_text));
    token::Pkcs11Options options;
    options.state_folder = state;
    options.lock_folder = state;
    options.on_hung = [](const std::string&) { _exit(75); };
    HSM_TRY(ledger, store::Ledger::Open(state + "/ledger"));
    HSM_TRY(token, token::Pkcs11Token::Open(std::move(uri), std::move(options), clock, rng));
    agent.emplace(kPool, kMember, *token, *ledger, clock, rng);
    return {};
  }

  // Each reinit has a generation of its own, above what the member was told.
  Result<void> Wipe() {
    const store::LedgerState& told = ledger->state();
    const std::uint64_t generation = told.epoch == kNext ? told.generation + 1 : 1;
    return agent->Initialize({kNext, generation}, true);
  }

  // The epoch may be over already, when an operation that ends it is done again.
  Result<void> Grant(Epoch epoch = kEpoch) {
    HSM_TRY(const mirror::Pulse pulse, agent->TakePulse());
    return agent->OpenGate({pulse.nonce, epoch, 1, seconds(300), {}});
  }

  Result<void> Write(store::Write write) {
    HSM_RETURN_IF_ERROR(Grant());
    std::vector<store::Write> writes;
    writes.push_back(std::move(write));
    HSM_TRY(auto staged, agent->Stage(std::move(writes), 32 * 1024));
    HSM_TRY(const store::Staged one, std::move(staged.at(0)));
    HSM_TRY(const auto acknowledged, agent->Acknowledge({{{one.id, one.version}, {}}}));
    return acknowledged.at(0);
  }
  Result<void> Put(const char* name, store::Keys keys, std::uint8_t op) {
    return Write({.name = NameOf(name), .keys = std::move(keys), .op_id = {op}});
  }

  Result<store::Version> NewestOf(const char* name) {
    HSM_TRY(const mirror::ReadResult read, agent->Read(NameOf(name), false));
    if (!read.secret) return base::Error(ErrorCode::kNotFound, "no such secret");
    return read.secret->version;
  }
};

struct Operation {
  std::function<Result<void>(World&)> prepare;
  std::function<Result<void>(World&)> act;
};

Result<void> PlantLegacy(World& world) {
  HSM_RETURN_IF_ERROR(world.Grant());
  for (const char* key : {"user", "pass", "_metadata"}) {
    HSM_TRY(const token::ObjectHandle handle,
            world.token->Create("hsm-secrets-operator", std::string("legacy/") + key,
                                base::AsBytes(key)));
    (void)handle;
  }
  return {};
}

Result<std::vector<Result<store::Applied>>> ApplyOne(World& world, std::uint64_t lsn,
                                                     const std::string& value) {
  store::Head head;
  head.pool = kPool;
  head.name = "app";
  head.version = {kEpoch, lsn};
  std::vector<store::Record> records;
  HSM_TRY(store::Record record, store::Encode(head, One(value), 32 * 1024));
  records.push_back(std::move(record));
  HSM_TRY(const std::uint64_t era, world.agent->Era());
  return world.agent->Apply({kEpoch, 1}, era, std::move(records));
}

// Long values by their first letter and length, so that a line stays one.
std::string Short(const store::Keys& keys) {
  std::string text;
  for (const auto& [key, value] : keys) {
    const std::string all(value.view().begin(), value.view().end());
    const bool plain = all.size() > 100 && all.find_first_not_of(all[0]) == std::string::npos;
    text += "{" + key + ":" +
            (plain ? std::string(1, all[0]) + "*" + std::to_string(all.size()) : all) + "}";
  }
  return text;
}

std::string Read(World& world, const char* name) {
  const auto read = world.agent->Read(NameOf(name), false);
  if (!read.ok()) return std::string(base::Name(read.code()));
  return read->secret ? Short(read->secret->keys) : "absent";
}

// What a crash, a refused create and a disk that lost a file leave behind: `both` has its next
// version written and not acknowledged, `torn` has a newer head without its last part, `app` has
// parts of a version that never got its head, and so has `never`, which was never there at all.
Result<void> LeaveAsACrashDoes(World& world) {
  for (const char* name : {"app", "both", "torn"})
    HSM_RETURN_IF_ERROR(world.Put(name, One("old"), 1));
  const auto plant = [&](const char* name, std::uint64_t lsn, const std::string& value,
                         std::size_t parts, bool head_too) -> Result<void> {
    store::Head head;
    head.pool = kPool;
    head.name = name;
    head.version = {kEpoch, lsn};
    HSM_TRY(const store::Record record, store::Encode(head, One(value), 32 * 1024));
    store::Label label{store::Label::Kind::kPart, IdOf(name), head.version, 0};
    for (; label.part < std::min(parts, record.parts.size()); ++label.part) {
      HSM_TRY(const token::ObjectHandle part,
              world.token->Create(store::kApplication, label.ToString(),
                                  record.parts[label.part].view()));
      (void)part;
    }
    if (!head_too) return {};
    label.kind = store::Label::Kind::kHead;
    HSM_TRY(const token::ObjectHandle handle,
            world.token->Create(store::kApplication, label.ToString(), record.head.view()));
    (void)handle;
    return {};
  };
  HSM_RETURN_IF_ERROR(plant("both", 20, "new", 0, true));
  HSM_RETURN_IF_ERROR(plant("torn", 21, kTwo, 1, true));
  HSM_RETURN_IF_ERROR(plant("app", 22, kTwo, 2, false));
  return plant("never", 23, kTwo, 1, false);
}

// Recovery at open, the garbage, and a read of each: what was acknowledged and nothing older.
Result<void> Recover(World& world) {
  HSM_TRY(const mirror::MemberStatus status, world.agent->Status(false));
  if (status.standing == store::Standing::kUnknown)
    return base::Error(ErrorCode::kUnavailable, "the store could not be opened");
  HSM_TRY(const store::CollectReport report, world.agent->Collect(seconds(60)));
  (void)report;
  for (const char* name : {"app", "both", "torn", "never"}) {
    const std::string seen = Read(world, name);
    const std::string want = name == std::string("app")    ? "{k:old}"
                             : name == std::string("both") ? "{k:new}"
                             : name == std::string("torn") ? "Corrupt"
                                                           : "absent";
    if (seen == want) continue;
    if (seen == "Unavailable")
      return base::Error(ErrorCode::kUnavailable, std::string(name) + " could not be read");
    return base::Error(ErrorCode::kInternal, std::string(name) + " is read as " + seen);
  }
  return {};
}

std::map<std::string, Operation> Operations() {
  std::map<std::string, Operation> operations;
  const auto none = [](World& w) { return w.Grant(); };
  const auto old = [](World& w) { return w.Put("app", One("old"), 1); };
  operations["create"] = {none, [](World& w) { return w.Put("app", One("new"), 2); }};
  operations["update-one"] = {old, [](World& w) { return w.Put("app", One("new"), 2); }};
  operations["update-four"] = {[](World& w) { return w.Put("app", One(kFour), 1); },
                               [](World& w) { return w.Put("app", One(kFourNew), 2); }};
  operations["delete"] = {
      old, [](World& w) { return w.Write({.name = NameOf("app"), .remove = true, .op_id = {2}}); }};
  operations["rename-key"] = {old, [](World& w) -> Result<void> {
                                store::Keys keys;
                                keys.emplace("renamed", base::SecretBytes::FromText("old"));
                                return w.Put("app", std::move(keys), 2);
                              }};
  operations["collect"] = {[](World& w) -> Result<void> {
                             for (std::uint8_t i = 1; i < 4; ++i)
                               HSM_RETURN_IF_ERROR(w.Put("app", One(kFour), i));
                             return w.Put("app", One("new"), 9);
                           },
                           [](World& w) -> Result<void> {
                             HSM_TRY(const store::CollectReport report,
                                     w.agent->Collect(seconds(60)));
                             (void)report;
                             return {};
                           }};
  operations["collect-tombstone"] = {
      [old](World& w) -> Result<void> {
        HSM_RETURN_IF_ERROR(old(w));
        return w.Write({.name = NameOf("app"), .remove = true, .op_id = {2}});
      },
      [](World& w) -> Result<void> {
        HSM_TRY(const store::Inventory inventory,
                w.agent->ReadInventory(std::bitset<store::kBuckets>().set()));
        for (const store::InventoryItem& item : inventory.items) {
          HSM_TRY(const std::uint64_t count,
                  w.agent->CollectTombstones({kEpoch, 1}, {{item.id, item.version}}));
          (void)count;
        }
        return {};
      }};
  operations["apply"] = {[](World& w) -> Result<void> {
                           HSM_RETURN_IF_ERROR(w.Grant());
                           HSM_TRY(auto applied, ApplyOne(w, 10, "old"));
                           HSM_RETURN_IF_ERROR(applied[0]);
                           return {};
                         },
                         [](World& w) -> Result<void> {
                           HSM_TRY(auto applied, ApplyOne(w, 11, kFourNew));
                           HSM_RETURN_IF_ERROR(applied[0]);
                           return {};
                         }};
  operations["fence"] = {old, [](World& w) -> Result<void> {
                           HSM_TRY(const mirror::FenceAnswer answer, w.agent->Fence({kNext, 1}));
                           (void)answer;
                           return {};
                         }};
  operations["freeze"] = {old, [](World& w) -> Result<void> {
                            HSM_TRY(const base::Digest digest, w.agent->Freeze(kNext));
                            (void)digest;
                            return {};
                          }};
  operations["open-gate"] = {[old](World& w) -> Result<void> {
                               HSM_RETURN_IF_ERROR(old(w));
                               HSM_TRY(const base::Digest digest, w.agent->Freeze(kNext));
                               (void)digest;
                               return {};
                             },
                             [](World& w) { return w.Grant(kNext); }};
  operations["quarantine"] = {
      [old](World& w) -> Result<void> {
        HSM_RETURN_IF_ERROR(old(w));
        return w.Put("app", One(kFourNew), 2);
      },
      [](World& w) -> Result<void> {
        HSM_TRY(const store::Inventory inventory,
                w.agent->ReadInventory(std::bitset<store::kBuckets>().set()));
        if (!inventory.quarantine.empty()) {
          return w.agent->Quarantine({kNext, 1}, {{IdOf("app"), inventory.quarantine[0].version}});
        }
        HSM_TRY(const store::Version version, w.NewestOf("app"));
        return w.agent->Quarantine({kNext, 1}, {{IdOf("app"), version}});
      }};
  operations["adopt"] = {PlantLegacy, [](World& w) -> Result<void> {
                           HSM_TRY(mirror::ReadResult read, w.agent->Read(NameOf("legacy"), false));
                           if (!read.secret)
                             return base::Error(ErrorCode::kNotFound, "the legacy secret is gone");
                           HSM_RETURN_IF_ERROR(w.Put("legacy", std::move(read.secret->keys), 2));
                           HSM_TRY(const store::CollectReport report,
                                   w.agent->Collect(seconds(60)));
                           (void)report;
                           return {};
                         }};
  operations["reinit"] = {old, [](World& w) { return w.Wipe(); }};
  operations["recovery"] = {LeaveAsACrashDoes, Recover};
  operations["read"] = {[](World& w) { return w.Put("app", One(kFour), 1); }, nullptr};
  return operations;
}

// Files of objects on the token, ghosts too: garbage shows in their number.
std::size_t ObjectFiles(const std::string& state) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(state + "/../tokens")) {
    const std::string name = entry.path().filename();
    count += name.ends_with(".object") && name != "token.object" ? 1 : 0;
  }
  return count;
}

// `anew`: in a new view, since SoftHSM answers from memory; a process that has just begun has one.
std::string Look(World& world, const std::vector<std::string>& names, bool anew) {
  const auto status = world.agent->Status(false);
  if (!status.ok()) return "no status";
  std::string text(Name(status->standing));
  text += " epoch=" + std::to_string(status->epoch.counter) + (status->primary ? " primary" : "") +
          (status->frozen ? " frozen" : "");
  if (status->standing != store::Standing::kMember) return text;
  for (const std::string& name : names) text += " " + name + "=" + Read(world, name.c_str());
  Result<store::VerifyReport> verified = store::VerifyReport{};
  if (anew) verified = world.agent->Verify();
  const auto inventory = world.agent->ReadInventory(std::bitset<store::kBuckets>().set());
  if (!inventory.ok()) return text + " no inventory: " + inventory.error().message();
  for (const store::QuarantineItem& item : inventory->quarantine) {
    const auto read = world.agent->ReadQuarantined({item.id, item.version});
    text += " aside=" + (read.ok() ? Short(read->keys) : std::string(base::Name(read.code())));
  }
  bool damaged = !verified.ok() || !verified->damaged.empty();
  for (const store::InventoryItem& item : inventory->items)
    damaged = damaged || item.state == store::InventoryItem::State::kDamaged;
  if (damaged) text += " damaged";
  if (names.size() > 2) text += " files=" + std::to_string(ObjectFiles(world.state));
  return text;
}

void Tell(const Result<void>& result) {
  if (result.ok()) {
    std::puts("acknowledged");
  } else {
    std::printf("error %s: %s\n", std::string(base::Name(result.code())).c_str(),
                result.error().message().c_str());
  }
}

void Do(World& world, const Operation& operation) {
  if (operation.act) return Tell(operation.act(world));
  std::printf("read %s\n", Read(world, "app").c_str());
}

int Write(World& world, int count, int pause_us) {
  int last = 0;
  if (const auto read = world.agent->Read(NameOf("app"), false); read.ok() && read->secret) {
    const auto& value = read->secret->keys.at("n");
    last = std::atoi(std::string(value.view().begin(), value.view().end()).c_str());
  }
  for (int n = last + 1; n <= last + count; ++n) {
    store::Keys keys;
    keys.emplace("n", base::SecretBytes::FromText(std::to_string(n)));
    if (n % 3 == 0) keys.emplace("pad", base::SecretBytes(std::size_t{100'000}));
    store::OpId op{};
    world.rng.Fill(op);
    if (auto written = world.Write({.name = NameOf("app"), .keys = std::move(keys), .op_id = op});
        !written.ok()) {
      Tell(written);
      return 1;
    }
    std::printf("wrote %d\n", n);
    std::fflush(stdout);
    if (n % 4 == 0) (void)world.agent->Collect(seconds(5));  // part of what may be cut short
    if (pause_us > 0) usleep(static_cast<useconds_t>(pause_us));
  }
  return 0;
}

// Makes `count` secrets if there are none, and reads them all.
int Many(World& world, int count) {
  const auto name = [](int i) { return "many/" + std::to_string(i); };
  if (Read(world, name(0).c_str()) == "absent") {
    if (auto open = world.Grant(); !open.ok()) {
      Tell(open);
      return 1;
    }
    std::vector<store::Write> writes;
    for (int i = 0; i < count; ++i) {
      writes.push_back({.name = NameOf(name(i).c_str()),
                        .keys = One(name(i)),
                        .op_id = {static_cast<std::uint8_t>(i)}});
    }
    const auto staged = world.agent->Stage(std::move(writes), 32 * 1024);
    if (!staged.ok()) return 1;
  }
  int missing = 0;
  for (int i = 0; i < count; ++i)
    missing += Read(world, name(i).c_str()) == "{k:" + name(i) + "}" ? 0 : 1;
  std::puts(missing == 0 ? "all there" : "some are missing");
  return 0;
}

int Get(World& world) {
  const auto read = world.agent->Read(NameOf("app"), false);
  if (!read.ok()) {
    Tell(read.error());
    return 1;
  }
  if (!read->secret) {
    std::puts("app absent");
    return 0;
  }
  const auto& value = read->secret->keys.at("n");
  const auto verified = world.agent->Verify();
  std::printf("app %s%s\n", std::string(value.view().begin(), value.view().end()).c_str(),
              verified.ok() && verified->damaged.empty() ? "" : " damaged");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  World world;
  if (auto opened = world.Open(argv[1], argv[2]); !opened.ok()) {
    Tell(opened);
    return 1;
  }
  const std::string verb = argv[3];
  const auto operations = Operations();
  const auto named = [&]() -> const Operation& {
    const auto found = argc > 4 ? operations.find(argv[4]) : operations.end();
    if (found == operations.end()) std::exit(2);
    return found->second;
  };
  if (verb == "prepare") {
    const Operation& operation = named();
    auto prepared = world.agent->Initialize({kEpoch, 1}, false);
    if (prepared.ok()) prepared = operation.prepare(world);
    Tell(prepared);
    return prepared.ok() ? 0 : 1;
  }
  if (verb == "do") {
    Do(world, named());
  } else if (verb == "check") {
    const Operation& operation = named();
    std::vector<std::string> names{"app", "legacy"};
    if (argv[4] == std::string("recovery")) names = {"app", "both", "torn", "never"};
    std::printf("look %s\n", Look(world, names, false).c_str());
    Do(world, operation);
    std::printf("look %s\n", Look(world, names, true).c_str());
  } else if (verb == "look") {
    std::printf("look %s\n", Look(world, {"app", "legacy"}, false).c_str());
  } else if (verb == "init") {
    Tell(world.agent->Initialize({kEpoch, 1}, false));
  } else if (verb == "write" && argc > 5) {
    return Write(world, std::atoi(argv[4]), std::atoi(argv[5]));
  } else if (verb == "many" && argc > 4) {
    return Many(world, std::atoi(argv[4]));
  } else if (verb == "get") {
    return Get(world);
  } else {
    return 2;
  }
  return 0;
}
