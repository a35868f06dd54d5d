// Invariant A of protocol.md (1) on real SoftHSM tokens: every operation, with every PKCS#11 call
// of it failing or ending the process; then a process without faults looks, does it again and looks
// again.
//
// KHSM_CRASH_PAIRS: how many pairs of faults are sampled (200).
// KHSM_CRASH_OPERATION: only this operation.
#include <algorithm>
#include <cstdlib>

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

TEST_CASE(
    "crash: a token that answers wrongly once, at every second value read of every operation") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Operation> operations = ChosenOperations();
  const std::uint64_t stride = std::getenv("HSMOPS_SANITIZED") == nullptr ? 2 : 10;
  std::vector<std::function<void()>> tasks;
  for (std::size_t at = 0; at < operations.size(); ++at) {
    tasks.push_back([&, at] {
      Scene scene(operations[at]);
      scene.Count();
      // Each lie begins at another read, so that of two lies each read has one.
      std::uint64_t first = at;
      const auto lie = [&](const std::string& mode, std::uint64_t calls, std::uint64_t step) {
        ++first;
        for (std::uint64_t k = 1 + first % step; k <= calls; k += step)
          (void)scene.Run("call=" + std::to_string(k) + " mode=" + mode, tally);
      };
      for (const char* mode : {"truncate", "flip", "empty", "stale"})
        lie(mode, scene.reads(), stride);
      // The value has another length when it is read than when it was asked for.
      for (const char* mode : {"grow", "shrink", "grow times=0"})
        lie(mode, scene.length_asks(), mode == std::string("grow times=0") ? 16 : 2 * stride);
      for (const char* mode : {"page arg=1 times=0", "page arg=2", "stale function=C_FindObjects"})
        lie(mode, scene.searches(), stride);
    });
  }
  InLanes(std::move(tasks));
  Conclude("wrong answers", tally, start);
}

TEST_CASE("crash: a token that is full at each object it creates") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::function<void()>> tasks;
  for (const char* name : {"create", "update-four", "delete", "apply", "fence", "freeze",
                           "open-gate", "quarantine", "adopt", "collect-tombstone", "reinit"}) {
    tasks.push_back([&, name = std::string(name)] {
      Scene scene(OperationNamed(name));
      int k = 1;
      while (scene.Run("call=" + std::to_string(k) + " mode=full", tally)) ++k;
    });
  }
  InLanes(std::move(tasks));
  Conclude("full token", tally, start);
}

TEST_CASE("mutant: destroy before create is found by the crash tier's own faults") {
  const char* const mutant = std::getenv("KHSM_MUTANT");
  REQUIRE(mutant == nullptr);
  const auto violations = [](const std::map<std::string, std::string>& env) {
    Tally tally;
    Scene scene(OperationNamed("update-one"), env);
    for (const std::string mode : {"fail-before", "die-before"})
      (void)scene.Run("call=1 function=C_CreateObject mode=" + mode, tally);
    CHECK(tally.fired == 2);
    return tally.violations.load();
  };
  CHECK(violations({}) == 0);
  CHECK(violations({{"KHSM_MUTANT", "1"}}) > 0);
}

TEST_CASE("mutant: an older version for a damaged newer one is found by the recovery's reads") {
  const auto does = [](const std::map<std::string, std::string>& env) {
    return Scene(OperationNamed("recovery"), env).answer();
  };
  CHECK(does({}) == "acknowledged");
  CHECK(does({{"KHSM_MUTANT", "9"}}) == "error Internal: torn is read as {k:old}");
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
