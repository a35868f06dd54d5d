// ./dev bench: what this program costs, as ratios against plain PKCS#11 calls in the same run.
//
//   bench [--quick] [PART...]   --quick uses 1,000 secrets where the full run uses 10,000
//
// Parts: tokens, generic, failover, load, promote, sync, idle, kube; all of them when none is
// named.
//
// SoftHSM tokens on memory-backed storage, each served by a token process as in production.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/agent/child.h"
#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/apply.h"
#include "libhsmops/mirror/plan.h"
#include "libhsmops/mirror/replicated_write.h"
#include "libhsmops/store/ledger.h"
#include "libhsmops/token/pkcs11_token.h"
#include "test/bench/cluster_bench.h"
#include "test/bench/kube_bench.h"
#include "test/bench/measure.h"

namespace {

using namespace hsmops;         // NOLINT: a program of its own
using namespace hsmops::bench;  // NOLINT

// Both at once, as two devices would be filled.
double RunRawOnTwo(const Token& a, const Token& b, int count, std::size_t bytes) {
  return Time([&] {
    auto other = std::async(std::launch::async, [&] { return RunRaw(b, "create", count, bytes); });
    RunRaw(a, "create", count, bytes);
    other.get();
  });
}

const store::Uid kPool{1};
const store::Epoch kEpoch{1, 42};

// A member in a token process, enrolled; the first one may be granted.
std::unique_ptr<agent::Client> MakeMember(const Token& token, std::uint8_t number,
                                          const std::string& suffix = "") {
  agent::ChildConfig config;
  config.uri = token.uri + suffix;
  config.pool = kPool;
  config.member = store::Uid{2, number};
  config.state_folder = token.folder + "/state";
  auto member = std::make_unique<agent::Client>(
      agent::MakeChildChannel(HSMOPS_CLI, config, std::chrono::minutes(10), wall));
  Must(member->Initialize({kEpoch, 1}, false), "enrolling");
  return member;
}

void Grant(agent::Client& member, const mirror::SyncRule& rule = {}) {
  const auto pulse = Must(member.TakePulse(), "pulse");
  Must(member.OpenGate({pulse.nonce, kEpoch, 1, std::chrono::seconds(300), std::nullopt, rule}),
       "grant");
}

std::vector<store::Write> Writes(int first, int count) {
  std::vector<store::Write> writes;
  for (int i = first; i < first + count; ++i) {
    store::Keys keys;
    for (const char* key : {"username", "password", "endpoint"})
      keys.emplace(key, base::SecretBytes(base::ByteView(rng.Array<64>())));
    writes.push_back({Must(store::SecretName::Parse(fmt::format("bench/secret-{}", i)), "name"),
                      std::move(keys),
                      false,
                      false,
                      rng.Array<16>(),
                      {}});
  }
  return writes;
}

void WriteAll(agent::Client& primary, const mirror::SyncSet& sync_set, int first, int count,
              std::size_t max_object_bytes) {
  for (int at = first; at < first + count; at += 500) {
    for (const auto& result :
         mirror::ReplicatedWrite("primary", primary, sync_set, {kEpoch, 1}, max_object_bytes,
                                 Writes(at, std::min(500, first + count - at)), executor)) {
      Must(result, "write");
    }
  }
}

// The bytes of one of these secrets' head on the token.
std::size_t HeadBytes(agent::Client& member) {
  const auto inventory =
      Must(member.ReadInventory(std::bitset<store::kBuckets>().set()), "inventory");
  auto records = Must(member.ReadRecords({inventory.items.front().id}), "record");
  return Must(std::move(records.front()), "record").head.size();
}

double ChildMegabytes(const Token& token) {
  // The process that holds this token's ledger open.
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code error;
    for (const auto& fd : std::filesystem::directory_iterator(entry.path() / "fd", error)) {
      const auto target = std::filesystem::read_symlink(fd.path(), error);
      if (target != token.folder + "/state/ledger" ||
          entry.path() == std::filesystem::path("/proc/self"))
        continue;
      std::ifstream status(entry.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6) / 1024;
      }
    }
  }
  return 0;
}

double FirstSync(agent::Client& source, const std::map<std::string, mirror::Member*>& members,
                 int secrets) {
  return Time([&] {
    const auto from = Must(source.ReadInventory(std::bitset<store::kBuckets>().set()), "inventory");
    std::vector<mirror::MemberInventory> inventories;
    for (const auto& [node, member] : members)
      inventories.push_back({node, member->ReadInventory(std::bitset<store::kBuckets>().set())});
    const auto plan = mirror::Plan(from, inventories, kEpoch, false);
    const auto report = mirror::Apply(plan, source, members, {kEpoch, 1}, executor, nullptr);
    if (report.copied != static_cast<std::uint64_t>(secrets) * members.size()) {
      std::cerr << "bench: copied " << report.copied << ", failed " << report.failed.size()
                << (report.failed.empty() ? "" : ": " + report.failed.front().error.message())
                << "\n";
      std::exit(1);
    }
  });
}

// The same reads without the hop to another process, as a program that embeds the library makes
// them.
double GetInProcess(const Token& token, const std::string& suffix) {
  token::Pkcs11Options options;
  options.state_folder = token.folder + "/state";
  options.on_hung = [](const std::string&) { std::_Exit(1); };
  auto opened = Must(token::Pkcs11Token::Open(Must(token::Uri::Parse(token.uri + suffix), "uri"),
                                              options, wall, rng),
                     "token");
  store::Ledger ledger = Must(store::Ledger::Open(token.folder + "/state/ledger"), "ledger");
  store::SecretStore secrets(*opened, ledger, wall, rng);
  Must(secrets.Open(kPool, store::Uid{2, 1}), "store");
  return Time([&] {
    for (int i = 0; i < 1000; ++i)
      Must(secrets.Read(Must(store::SecretName::Parse(fmt::format("bench/secret-{}", i)), "name")),
           "get");
  });
}

// Everything at one number of secrets; with `suffix` the URI asks for the careful profile.
void Suite(int secrets, const std::string& name, const std::string& suffix) {
  std::printf("\n%s, %d secrets of 3 x 64 bytes\n%-58s %13s %13s %9s   %-18s\n", name.c_str(),
              secrets, "work", "ours", "beside it", "ratio", "target");
  const bool careful = !suffix.empty();
  Count(!careful);
  const std::string id = fmt::format("{}{}", careful ? "g" : "s", secrets);
  const Token source_token = MakeToken(id + "p");
  const Token a_token = MakeToken(id + "a");
  const Token b_token = MakeToken(id + "b");
  auto source = MakeMember(source_token, 1, suffix);
  Grant(*source);
  const std::size_t max_object = careful ? 1024 : 32 * 1024;
  const double put = Time([&] { WriteAll(*source, {}, 0, 1000, max_object); });
  const std::size_t bytes = HeadBytes(*source);
  const Token raw_put_token = MakeToken(id + "r1");
  const Raw raw_put = RunRaw(raw_put_token, "create", 1000, bytes);
  Row("put of 1,000 secrets, batches of 500", put, raw_put.seconds, "<= 1.5 x",
      put <= 1.5 * raw_put.seconds);
  if (secrets > 1000) {
    Grant(*source);
    WriteAll(*source, {}, 1000, secrets - 1000, max_object);
  }

  auto a = MakeMember(a_token, 2, suffix);
  auto b = MakeMember(b_token, 3, suffix);
  const std::map<std::string, mirror::Member*> mirrors{{"a", a.get()}, {"b", b.get()}};
  const double sync = FirstSync(*source, mirrors, secrets);
  const Token raw_a = MakeToken(id + "ra");
  const Token raw_b = MakeToken(id + "rb");
  const double raw_two = RunRawOnTwo(raw_a, raw_b, secrets, bytes);
  const double raw_read = Time([&] {
    std::vector<store::Id> ids;
    for (const auto& item :
         Must(source->ReadInventory(std::bitset<store::kBuckets>().set()), "inventory").items)
      ids.push_back(item.id);
    for (std::size_t at = 0; at < ids.size(); at += 256) {
      Must(source->ReadRecords(
               {ids.begin() + static_cast<std::ptrdiff_t>(at),
                ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + 256, ids.size()))}),
           "read");
    }
  });
  Row(fmt::format("first sync of {} secrets to two mirrors", secrets), sync, raw_two + raw_read,
      "<= 1.3 x", sync <= 1.3 * (raw_two + raw_read));

  for (mirror::Member* member :
       {static_cast<mirror::Member*>(source.get()), static_cast<mirror::Member*>(a.get()),
        static_cast<mirror::Member*>(b.get())}) {
    Must(member->Digest(), "digest");  // warm: hashes what the sync has changed
  }
  bool equal = true;
  const double nothing = Time([&] {
    const auto root = Must(source->Digest(), "digest").root;
    equal = Must(a->Digest(), "digest").root == root && Must(b->Digest(), "digest").root == root;
  });
  if (!equal) {
    std::cerr << "bench: the mirrors are not equal after the sync\n";
    std::exit(1);
  }
  Row("sync with nothing to do, indexes warm", nothing, 0, "<= 10 ms", nothing <= 0.010);

  mirror::SyncSet sync_set;
  mirror::SyncRule both{{}, 2};
  for (const auto& [node, member] : mirrors) {
    const store::Uid uid = Must(member->Status(false), "status").member;
    sync_set.mirrors[node] = {uid, member};
    both.members.insert(uid);
  }
  Grant(*source, both);
  WriteAll(*source, sync_set, 0, 1, max_object);  // warms what the first write after a sync warms
  constexpr int kChanges = 20;
  const double change = Time([&] {
                          for (int i = 0; i < kChanges; ++i)
                            WriteAll(*source, sync_set, 10 + i, 1, max_object);
                        }) /
                        kChanges;
  const double one = (RunRaw(raw_a, "one", kChanges, bytes).seconds +
                      RunRaw(raw_b, "one", kChanges, bytes).seconds +
                      RunRaw(raw_a, "one", kChanges, bytes).seconds);
  Row(fmt::format("one change among {}, to the acknowledgement", secrets), change, one,
      "<= 5 ms + 2 x", change <= 0.005 + 2 * one);

  const Token raw_read_token = MakeToken(id + "rr");
  const Raw raw_get = RunRaw(raw_read_token, "read", 1000, bytes);
  const double get = Time([&] {
    for (int i = 0; i < 1000; ++i)
      Must(source->Read(Must(store::SecretName::Parse(fmt::format("bench/secret-{}", i)), "name"),
                        true),
           "get");
  });
  const bool counted = Count(false);
  Row("1,000 gets by name, warm, through the token's process", get, raw_get.seconds, "", true);
  Count(counted);

  const double memory = ChildMegabytes(a_token);
  const double raw_memory = RunRaw(MakeToken(id + "rm"), "create", secrets, bytes).megabytes;
  MemoryRow("memory of a token's process", memory, raw_memory, 25);
  source.reset();
  const double library = GetInProcess(source_token, suffix);
  Row("1,000 gets by name, warm, in the library", library, raw_get.seconds, "<= 2 x",
      library <= 2 * raw_get.seconds);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::set<std::string> asked;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      quick = true;
    } else {
      asked.insert(word);
    }
  }
  const int many = quick ? 1000 : 10'000;
  const std::vector<std::pair<std::string, std::function<void()>>> parts{
      {"tokens",
       [&] {
         Suite(1000, "softhsm profile", "");
         if (!quick) Suite(many, "softhsm profile", "");
       }},
      {"generic",
       [] { Suite(1000, "generic profile (a fresh view for each batch)", "&x-profile=generic"); }},
      {"failover", FailingOver},
      {"load", WritingAndReading},
      {"promote", Promoting},
      {"sync", [&] { Syncing(many); }},
      {"idle", [] { Idling(50); }},
      {"kube", [&] { OnKubernetes(quick); }},
  };
  for (const std::string& name : asked) {
    if (std::ranges::none_of(parts, [&](const auto& part) { return part.first == name; })) {
      std::cerr << "bench: no part " << name << "\n";
      return 2;
    }
  }
  std::filesystem::create_directories(kFolder);
  for (const auto& [name, run] : parts) {
    if (!asked.empty() && !asked.contains(name)) continue;
    std::printf("\n[%s]\n", name.c_str());
    Count(true);
    run();
  }
  std::filesystem::remove_all(kFolder);
  std::printf("\n%d targets missed\n", Misses());
  return 0;
}
