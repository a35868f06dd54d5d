// Kills at any moment on real SoftHSM tokens: a writer at random, one update at every seventh
// system call.
//
// KHSM_KILLS: how many kills of the writer (500).
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "libhsmops/base/rng.h"
#include "test/crash/scene.h"

namespace hsmops::test {
namespace {

using Milliseconds = std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

int LastWritten(const std::string& out, int otherwise) {
  int last = otherwise;
  for (const std::string& line : Lines(out)) {
    if (line.starts_with("wrote ")) last = std::atoi(line.c_str() + 6);
  }
  return last;
}

// Starts argv under ptrace and kills it when it enters its n-th system call; `calls` gets how many
// it made. True: it was killed there.
bool KillAtCall(const std::vector<std::string>& argv, std::uint64_t n, std::uint64_t& calls) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::fflush(stdout);  // or the child flushes it once more
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE_MESSAGE(WIFSTOPPED(status),
                  "ptrace is not possible here: run where it is allowed (CAP_SYS_PTRACE, seccomp)");
  REQUIRE(ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) ==
          0);
  calls = 0;
  bool entering = false;
  int deliver = 0;
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, child, nullptr, deliver) != 0) break;
    deliver = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
      deliver = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      continue;
    }
    entering = !entering;
    if (entering && ++calls == n) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("kill: a writer killed at random moments never loses what it acknowledged") {
  const char* const text = std::getenv("KHSM_KILLS");
  const int wanted = text == nullptr ? 500 : std::atoi(text);
  constexpr int kLanes = 2;
  std::atomic<int> kills{0};
  std::atomic<int> violations{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> writing_ms{0};
  const auto start = Steady::now();
  std::vector<std::function<void()>> tasks;
  for (int lane = 0; lane < kLanes; ++lane) {
    tasks.push_back([&, lane] {
      base::SeededRng rng(static_cast<std::uint64_t>(lane) + 1);
      SoftHsmTokens tokens;
      SoftHsmToken& token = tokens.Add("kill");
      const std::string state = token.folder() + "/state";
      fs::create_directories(state);
      const auto worker = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {ProgramPath("store_worker"), token.uri(), state});
        return words;
      };
      REQUIRE(Run(worker({"init"})).code == 0);
      int acknowledged = 0;
      for (int tries = 0; kills < wanted && tries < wanted * 3; ++tries) {
        Process writer(worker({"write", "1000000", "0"}));
        if (!writer.WaitFor("wrote ")) {
          ++violations;
          MESSAGE("violation: the writer does not write: ", writer.out(), writer.err());
          return;
        }
        const auto began = Steady::now();
        usleep(static_cast<useconds_t>(rng.Below(60'000)));
        writer.Signal(SIGKILL);
        writing_ms += static_cast<std::uint64_t>(
            std::chrono::duration_cast<Milliseconds>(Steady::now() - began).count());
        const Ended ended = writer.Wait();
        const int last = LastWritten(ended.out, acknowledged);
        if (ended.signal == SIGKILL && last > acknowledged) {
          ++kills;
          writes += static_cast<std::uint64_t>(last - acknowledged - 1);
        }
        const Ended seen = Run(worker({"get"}));
        const int now = seen.out.starts_with("app ") ? std::atoi(seen.out.c_str() + 4) : -1;
        if (now < last || now > last + 1 || seen.out.find("damaged") != std::string::npos) {
          ++violations;
          MESSAGE("violation: acknowledged ", last, ", then ", seen.out, seen.err);
        }
        acknowledged = now;
      }
    });
  }
  InLanes(std::move(tasks));
  const std::uint64_t rate = writing_ms == 0 ? 0 : writes * 1000 / writing_ms;
  MESSAGE("kills: ", kills.load(), " while writing, ", rate, " writes a second in a lane, ",
          violations.load(), " violations, ",
          std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - start).count(), " s");
  CHECK(kills >= wanted);
  CHECK(violations == 0);
  // A sanitizer's writer is slower, and says so.
  if (std::getenv("HSMOPS_SANITIZED") == nullptr) CHECK(rate >= 20);
}

TEST_CASE("kill: an update ended at every seventh system call leaves the old or the new version") {
  Tally tally;
  const auto start = Steady::now();
  const auto operation =
      std::find_if(kOperations.begin(), kOperations.end(),
                   [](const Operation& o) { return std::string(o.name) == "update-four"; });
  std::uint64_t total = 0;
  {
    Scene scene(*operation);
    scene.Cut("no kill", [&](const auto& argv) { return KillAtCall(argv, 0, total); }, tally);
  }
  REQUIRE(total > 100);
  constexpr std::uint64_t kLanes = 2;
  std::vector<std::function<void()>> tasks;
  for (std::uint64_t lane = 0; lane < kLanes; ++lane) {
    tasks.push_back([&, lane] {
      Scene scene(*operation);
      for (std::uint64_t n = 1 + 7 * lane; n <= total; n += 7 * kLanes) {
        std::uint64_t calls = 0;
        scene.Cut(
            "a kill at system call " + std::to_string(n),
            [&](const auto& argv) { return KillAtCall(argv, n, calls); }, tally);
      }
    });
  }
  InLanes(std::move(tasks));
  MESSAGE("every seventh of ", total, " system calls: ", tally.fired.load(), " kills, ",
          tally.violations.load(), " violations, ",
          std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - start).count(), " s");
  CHECK(tally.violations == 0);
  CHECK(tally.fired * 7 + 70 >= total);
}

}  // namespace hsmops::test
