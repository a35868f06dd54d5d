// Invariant A of protocol.md (1) on real SoftHSM tokens: every operation, with every PKCS#11 call
// of it failing or ending the process; then a process without faults looks, does it again and looks
// again.
//
// KHSM_CRASH_PAIRS: how many pairs of faults are sampled (200).
// KHSM_CRASH_OPERATION: only this operation.
#include <sys/mount.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "libhsmops/base/rng.h"
#include "test/crash/scene.h"

namespace hsmops::test {
namespace {

void Conclude(const char* what, const Tally& tally, std::chrono::steady_clock::time_point start) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start)
          .count();
  MESSAGE(std::string(what), ": ", tally.runs.load(), " runs, ", tally.fired.load(), " fired, ",
          tally.violations.load(), " violations, ", seconds, " s");
  CHECK(tally.violations == 0);
  CHECK(tally.fired > 0);
}

}  // namespace

TEST_CASE(
    "crash: every operation, with every call failing before or after its effect, or ending the "
    "process there") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::function<void()>> tasks;
  const std::vector<Operation> operations = ChosenOperations();
  for (const Operation& operation : operations) {
    // An end before the next call is an end after this one, and only calls with an effect fail
    // differently before and after it: those have both, all calls have one of each.
    const auto each = [&](std::string mode, std::string function, int least) {
      tasks.push_back([&, mode, function, least] {
        Scene scene(operation);
        const int step = std::getenv("HSMOPS_SANITIZED") == nullptr ? 1 : 5;
        int k = 1;
        while (scene.Run("call=" + std::to_string(k) + " mode=" + mode + function, tally))
          k += step;
        CHECK_MESSAGE(k > least, operation.name, " ", mode, function);
      });
    };
    each("fail-after", "", 10);
    each("die-before", "", 10);
    for (const std::string function :
         {"C_Initialize", "C_Login", "C_CreateObject", "C_DestroyObject"}) {
      const int least = function == "C_Login" ? 1 : 0;
      each("fail-before", " function=" + function, least);
      each("die-after", " function=" + function, least);
    }
  }
  InLanes(std::move(tasks));
  Conclude("every call", tally, start);
}

TEST_CASE("crash: recovery takes away what no version needs, a refused create's ghost too") {
  const Scene scene(OperationNamed("recovery"));
  const std::string look =
      "look Member epoch=3 primary app={k:old} both={k:new} torn=Corrupt never=absent damaged";
  // Three orphaned parts, an older EPOCH and the ghost went; torn keeps both versions.
  CHECK(scene.before() == look + " files=12");
  CHECK(scene.after() == look + " files=7");
}

TEST_CASE(
    "crash: pairs of faults, sampled by a seed, some with an error that does not end the view") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const char* const text = std::getenv("KHSM_CRASH_PAIRS");
  const int pairs = text == nullptr ? 200 : std::atoi(text);
  std::vector<std::function<void()>> tasks;
  const std::vector<Operation> operations = ChosenOperations();
  for (std::size_t at = 0; at < operations.size(); ++at) {
    tasks.push_back([&, at] {
      base::SeededRng rng(at + 1);
      Scene scene(operations[at]);
      scene.Count();
      const char* const modes[] = {"fail-before", "fail-after", "die-before", "die-after"};
      const char* const errors[] = {"0x30", "0x6", "0x5", "0x32", "0xb3"};
      for (int i = 0; i < pairs / static_cast<int>(kOperations.size()) + 1; ++i) {
        std::string faults;
        std::uint64_t call = 0;
        for (int one = 0; one < 2; ++one) {
          call += 1 + rng.Below(scene.calls());
          faults += "call=" + std::to_string(call) + " mode=" + modes[rng.Below(one == 0 ? 2 : 4)] +
                    " rv=" + errors[rng.Below(5)] + "\n";
        }
        (void)scene.Run(faults, tally);
      }
    });
  }
  InLanes(std::move(tasks));
  Conclude("pairs", tally, start);
}

TEST_CASE("crash: a token that answers wrongly once") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::function<void()>> tasks;
  for (const char* name :
       {"read", "update-one", "update-four", "collect", "quarantine", "adopt", "fence"}) {
    tasks.push_back([&, name = std::string(name)] {
      const auto operation = std::find_if(kOperations.begin(), kOperations.end(),
                                          [&](const Operation& o) { return o.name == name; });
      Scene scene(*operation);
      scene.Count();
      for (const std::string lie : {"truncate", "flip", "empty", "stale", "grow"}) {
        const std::uint64_t step = name == "read" ? 1 : 3;
        for (std::uint64_t k = 1; k <= scene.reads(); k += step) {
          (void)scene.Run("call=" + std::to_string(k) + " mode=" + lie, tally);
        }
      }
      for (int k = 1; k < 6; ++k) {
        (void)scene.Run("call=" + std::to_string(k) + " mode=page arg=1 times=0", tally);
        (void)scene.Run("call=" + std::to_string(k) + " mode=stale function=C_FindObjects", tally);
      }
    });
  }
  InLanes(std::move(tasks));
  Conclude("wrong answers", tally, start);
}

TEST_CASE("crash: a token that is full at each object it creates") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::function<void()>> tasks;
  for (const char* name :
       {"create", "update-four", "delete", "apply", "fence", "quarantine", "adopt", "reinit"}) {
    tasks.push_back([&, name = std::string(name)] {
      const auto operation = std::find_if(kOperations.begin(), kOperations.end(),
                                          [&](const Operation& o) { return o.name == name; });
      Scene scene(*operation);
      int k = 1;
      while (scene.Run("call=" + std::to_string(k) + " mode=full", tally)) ++k;
    });
  }
  InLanes(std::move(tasks));
  Conclude("full token", tally, start);
}

TEST_CASE("crash: a disk that fills up at ten levels loses nothing that was acknowledged") {
  TempFolder folder;
  const std::string mounted = folder.path() + "/disk";
  fs::create_directory(mounted);
  REQUIRE_MESSAGE(mount("none", mounted.c_str(), "tmpfs", 0, "size=8m,mode=0700") == 0,
                  "mounting a tmpfs: ", std::strerror(errno),
                  "; run as root, or under `unshare --user --map-root-user --mount`");
  struct Unmount {
    std::string path;
    ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
  } unmount{mounted};
  int refused = 0;
  int acknowledged = 0;
  for (int level = 0; level < 10; ++level) {
    SoftHsmTokens tokens;
    SoftHsmToken& token = tokens.Add("disk");
    const std::string disk = mounted + "/" + std::to_string(level);
    fs::create_directory(disk);
    fs::copy(token.tokens_folder(), disk + "/tokens", fs::copy_options::recursive);
    fs::create_directory(disk + "/state");
    WriteText(token.conf(), "directories.tokendir = " + disk +
                                "/tokens\nobjectstore.backend = file\nlog.level = ERROR\n");
    const auto worker = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {ProgramPath("store_worker"), token.uri(), disk + "/state"});
      return Run(words, {}, std::chrono::seconds(30));
    };
    REQUIRE(worker({"init"}).code == 0);
    REQUIRE(worker({"write", "5", "0"}).code == 0);
    // Leave from nothing to about 1.3 MiB: around what the profile keeps free.
    const std::uint64_t leave = static_cast<std::uint64_t>(level) * 140 * 1024;
    const fs::space_info space = fs::space(mounted);
    const std::uint64_t fill = space.available > leave ? space.available - leave : 0;
    WriteText(disk + "/filler", std::string(fill, 'x'));
    const Ended wrote = worker({"write", "60", "0"});
    int last = 5;
    for (const std::string& line : Lines(wrote.out)) {
      if (line.starts_with("wrote ")) last = std::atoi(line.c_str() + 6), ++acknowledged;
      if (line.starts_with("error ")) ++refused;
    }
    fs::remove(disk + "/filler");
    const Ended seen = worker({"get"});
    const int now = std::atoi(seen.out.c_str() + 4);
    CHECK_MESSAGE((seen.out.starts_with("app ") && seen.out.find("damaged") == std::string::npos &&
                   now >= last && now <= last + 1),
                  "level ", level, ", last acknowledged ", last, ": ", seen.out,
                  wrote.out.substr(wrote.out.size() > 300 ? wrote.out.size() - 300 : 0));
    CHECK(worker({"write", "1", "0"}).code == 0);
    fs::remove_all(disk);
  }
  MESSAGE("full disk: 10 levels, ", acknowledged, " acknowledged, ", refused, " refused");
  CHECK(refused > 0);
}

TEST_CASE("mutant: a search that stops after a page of 100 is found by the 101st object") {
  SoftHsmTokens tokens;
  SoftHsmToken& token = tokens.Add("page");
  const std::string state = token.folder() + "/state";
  fs::create_directories(state);
  const auto check = [&](const std::map<std::string, std::string>& env) {
    return Run({ProgramPath("store_worker"), token.uri(), state, "many", "120"}, {.env = env})
               .out == "all there\n";
  };
  REQUIRE(Run({ProgramPath("store_worker"), token.uri(), state, "init"}).code == 0);
  CHECK(check({}));
  CHECK(check({}));
  CHECK(!check({{"KHSM_MUTANT", "5"}}));
}

TEST_CASE("mutant: a refused PIN that is tried again is found by the token's own count of logins") {
  const auto logins = [](const std::map<std::string, std::string>& env) {
    SoftHsmTokens tokens;
    SoftHsmToken& token = tokens.Add("pin");
    FaultPlan plan(token.conf() + ".faults");
    const std::string state = token.folder() + "/state";
    fs::create_directories(state);
    WriteText(token.pin_path(), "000000");
    for (int i = 0; i < 4; ++i) {
      CHECK(Run({ProgramPath("store_worker"), token.uri(FaultModulePath()), state, "get"},
                {.env = env})
                .out.starts_with("error AuthFailed"));
    }
    return plan.calls("C_Login");
  };
  CHECK(logins({}) == 1);
  CHECK(logins({{"KHSM_MUTANT", "8"}}) > 1);
}

}  // namespace hsmops::test
