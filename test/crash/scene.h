// What the crash and the kill tier share: a token prepared for one operation of store_worker, and
// the judgement of what is there after the operation was cut short.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "test/support/fault_plan.h"
#include "test/support/process.h"
#include "test/support/softhsm_tokens.h"

namespace hsmops::test {

namespace fs = std::filesystem;

// What may be seen after a fault besides the states before and after; a `*` at the end takes any
// rest.
struct Operation {
  const char* name;
  std::vector<std::string> between;
};

inline const std::vector<Operation> kOperations = {
    {"create", {}},
    {"update-one", {}},
    {"update-four", {}},
    {"delete", {}},
    {"rename-key", {}},
    {"collect", {}},
    {"collect-tombstone", {}},
    {"apply", {}},
    {"fence", {}},
    {"freeze", {"Member epoch=4 app={k:old} legacy=absent"}},
    {"open-gate", {}},
    // Fenced first; then the copy stands beside the head until that is destroyed.
    {"quarantine",
     {"Member epoch=4 app={k:g*100000} legacy=absent",
      "Member epoch=4 app={k:g*100000} legacy=absent aside={k:g*100000}"}},
    {"adopt", {}},
    {"reinit", {"Emptied*", "Foreign*", "Blank*"}},
    // Garbage goes bit by bit.
    {"recovery",
     {"Member epoch=3 primary app={k:old} both={k:new} torn=Corrupt never=absent damaged*"}},
    {"read", {}},
};

// All, or the one that KHSM_CRASH_OPERATION names.
inline std::vector<Operation> ChosenOperations() {
  const char* const only = std::getenv("KHSM_CRASH_OPERATION");
  std::vector<Operation> chosen;
  for (const Operation& operation : kOperations)
    if (only == nullptr || operation.name == std::string(only)) chosen.push_back(operation);
  return chosen;
}

struct Tally {
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> fired{0};
  std::atomic<std::uint64_t> violations{0};
};

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

inline const Operation& OperationNamed(const std::string& name) {
  const auto found = std::find_if(kOperations.begin(), kOperations.end(),
                                  [&](const Operation& o) { return o.name == name; });
  REQUIRE(found != kOperations.end());
  return *found;
}

// One token prepared for one operation, and what it shows before and after.
class Scene {
 public:
  // `env` is for what does the operation, not for what prepares the token and looks at it.
  explicit Scene(const Operation& operation, std::map<std::string, std::string> env = {})
      : operation_(operation),
        env_(std::move(env)),
        token_(tokens_.Add("crash")),
        plan_(token_.conf() + ".faults") {
    fs::create_directories(state());
    const Ended prepared = Worker(kSoftHsmModule, "prepare");
    REQUIRE_MESSAGE(prepared.code == 0, operation.name, ": ", prepared.out, prepared.err);
    if (operation.name == std::string("recovery")) LeaveGhost();
    token_.SaveTo(tokens_.folder() + "/saved-tokens");
    Age();
    fs::copy(state(), tokens_.folder() + "/saved-state", fs::copy_options::recursive);
    const auto lines = Lines(Worker(kSoftHsmModule, "check").out);
    REQUIRE_MESSAGE(lines.size() == 3, operation.name);
    before_ = lines[0];
    after_ = lines[2];
    REQUIRE_MESSAGE((lines[1] == "acknowledged" || lines[1].starts_with("read ")), operation.name,
                    ": ", lines[1]);
    answer_ = lines[1];
  }

  // Runs the operation under these faults from the prepared state and judges what is there
  // afterwards. False: no fault fired.
  bool Run(const std::string& faults, Tally& tally) {
    ++tally.runs;
    Restore();
    plan_.Set(faults);
    const Ended done = Worker(FaultModulePath(), "do", env_);
    const bool fired = !plan_.fired().empty();
    if (fired) ++tally.fired;
    const std::string answer = Said(done);
    if (answer == "acknowledged" || answer.starts_with("read ")) {
      // "read Unavailable" is an honest answer, another value is not.
      const bool honest =
          answer == answer_ || answer == "read Unavailable" || answer == "read Corrupt";
      if (!honest) Violation(tally, faults, "answered " + answer);
    } else if (!done.signal && !answer.starts_with("error ")) {
      Violation(tally, faults, "said " + done.out + done.err);
    }
    const bool recovery_lied_to = operation_.name == std::string("recovery") && IsLie(faults);
    if (answer.starts_with("error Internal") && !recovery_lied_to) Violation(tally, faults, answer);
    Judge(faults, answer, tally);
    return fired;
  }

  void Judge(const std::string& faults, const std::string& answer, Tally& tally) {
    const Ended checked = Worker(kSoftHsmModule, "check");
    const auto lines = Lines(checked.out);
    if (lines.size() != 3) {
      Violation(
          tally, faults,
          "the check ended with " + std::to_string(checked.code) + " " + checked.out + checked.err);
      return;
    }
    if (operation_.name == std::string("recovery") && IsLie(faults)) {
      if (!KeptByRecovery(lines[0])) Violation(tally, faults, answer + ", then " + lines[0]);
      return;
    }
    const bool acknowledged = answer == "acknowledged";
    if (lines[0] != after_ && (acknowledged || !Allowed(lines[0])))
      Violation(tally, faults, answer + ", then " + lines[0]);
    if (lines[2] != after_) Violation(tally, faults, "done again (" + lines[1] + "): " + lines[2]);
  }

  // What the fault module cannot do: `run` starts the operation on the prepared token and ends it.
  template <typename RunIt>
  void Cut(const std::string& how, RunIt run, Tally& tally) {
    ++tally.runs;
    Restore();
    if (run(std::vector<std::string>{ProgramPath("store_worker"), token_.uri(), state(), "do",
                                     operation_.name}))
      ++tally.fired;
    Judge(how, "", tally);
  }

  const std::string& before() const { return before_; }
  const std::string& after() const { return after_; }
  // What the operation answers without faults.
  std::string answer() { return Said(Worker(kSoftHsmModule, "do", env_)); }
  std::uint64_t calls() const { return calls_; }
  // How many calls, value reads and creates the operation makes without faults.
  void Count() {
    Restore();
    plan_.Set("");
    REQUIRE(Worker(FaultModulePath(), "do").code == 0);
    calls_ = plan_.calls();
    reads_ = plan_.value_reads();
    creates_ = plan_.calls("C_CreateObject");
    length_asks_ = plan_.calls("C_GetAttributeValue");
    searches_ = plan_.calls("C_FindObjects");
  }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t creates() const { return creates_; }
  std::uint64_t length_asks() const { return length_asks_; }
  std::uint64_t searches() const { return searches_; }
  const SoftHsmToken& token() const { return token_; }
  std::string state() const { return token_.folder() + "/state"; }

 private:
  Ended Worker(const std::string& module, const char* verb,
               const std::map<std::string, std::string>& env = {}) {
    return test::Run(
        {ProgramPath("store_worker"), token_.uri(module), state(), verb, operation_.name},
        {.env = env}, std::chrono::seconds(30));
  }
  static std::string Said(const Ended& done) {
    const auto said = Lines(done.out);
    return said.empty() ? "" : said.back();
  }
  // A refused create on SoftHSM leaves a file without label, application and value.
  void LeaveGhost() {
    const Ended refused =
        test::Run({ProgramPath("fault_driver"), kSoftHsmModule, token_.pin_path(), "refused"},
                  {.env = {{"SOFTHSM2_CONF", token_.conf()}}});
    REQUIRE_MESSAGE(refused.out == "refused\n", refused.out);
  }
  // Ghosts are collected when they are old enough not to be in the making.
  void Age() {
    const auto hour_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
    for (const auto& entry : fs::recursive_directory_iterator(token_.tokens_folder()))
      if (entry.path().extension() == ".object") fs::last_write_time(entry.path(), hour_ago);
  }
  void Restore() {
    token_.RestoreFrom(tokens_.folder() + "/saved-tokens");
    Age();
    fs::remove_all(state());
    fs::copy(tokens_.folder() + "/saved-state", state(), fs::copy_options::recursive);
  }
  bool Allowed(const std::string& look) const {
    if (look == before_) return true;
    for (const std::string& between : operation_.between) {
      const std::string whole = "look " + between;
      if (whole.ends_with('*') ? look.starts_with(whole.substr(0, whole.size() - 1))
                               : look == whole)
        return true;
    }
    return false;
  }
  static bool IsLie(const std::string& faults) {
    const auto has = [&](const char* mode) {
      return faults.find(std::string("mode=") + mode) != std::string::npos;
    };
    return has("truncate") || has("flip") || has("empty") || has("stale") || has("grow") ||
           has("shrink") || has("page");
  }
  // A lie about a label may cost recovery a version that was never acknowledged, or leave garbage.
  static bool KeptByRecovery(const std::string& look) {
    return look.starts_with("look Member epoch=3 primary app={k:old} both={k:") &&
           look.find(" never=absent") != std::string::npos;
  }
  void Violation(Tally& tally, const std::string& faults, const std::string& what) {
    ++tally.violations;
    const std::string text = std::string(env_.empty() ? "violation: " : "found, as it must be: ") +
                             operation_.name + " under " + faults + ": " + what + "\n  before " +
                             before_ + "\n  after  " + after_;
    MESSAGE(text);
  }

  Operation operation_;
  std::map<std::string, std::string> env_;
  SoftHsmTokens tokens_;
  SoftHsmToken& token_;
  FaultPlan plan_;
  std::string before_;
  std::string after_;
  std::string answer_;
  std::uint64_t calls_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t creates_ = 0;
  std::uint64_t length_asks_ = 0;
  std::uint64_t searches_ = 0;
};

// The tasks on as many threads as there are cores: a run mostly waits for a process.
inline void InLanes(std::vector<std::function<void()>> tasks) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> lanes;
  const unsigned count = std::max(2U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) {
    lanes.emplace_back([&] {
      for (std::size_t at = next++; at < tasks.size(); at = next++) tasks[at]();
    });
  }
  for (std::thread& lane : lanes) lane.join();
}

}  // namespace hsmops::test
