// Found by review: a token's process that stops while much is on its way to it held the command
// for ever, since a full socket was waited for without a limit.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;
// Of the command; the next one if it ended before what the test waits for: a slow machine.
constexpr std::chrono::seconds kTimeouts[] = {std::chrono::seconds(4), std::chrono::seconds(16),
                                              std::chrono::seconds(64)};
// Above it: writing the data until then, on a machine that has more to do.
constexpr std::chrono::seconds kSlack{10};

std::size_t FilesOf(const SoftHsmToken& token) {
  std::error_code gone;  // files come and go as it looks
  std::size_t files = 0;
  for (fs::recursive_directory_iterator at(token.tokens_folder(), gone), end; !gone && at != end;
       at.increment(gone))
    ++files;
  return files;
}

// The child of this process that holds a file of the member open; 0 if there is none.
pid_t ChildFor(pid_t parent, const std::string& node) {
  std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                         "/children");
  for (pid_t child = 0; children >> child;) {
    const std::string folder = "/proc/" + std::to_string(child) + "/fd";
    std::error_code gone;
    for (fs::directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone)) {
      std::error_code closed;  // meanwhile; the next one is looked at
      if (Says(fs::read_symlink(at->path(), closed).string(), "/.members/default.local/" + node))
        return child;
    }
  }
  return 0;
}

// A stopped process, which does not outlive the object.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {
    REQUIRE(fd_ >= 0);
    REQUIRE(Send(SIGSTOP) == 0);
  }
  ~Stopped() {
    Send(SIGKILL);
    close(fd_);
  }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  // By descriptor: the process may be reaped, and its number another's.
  long Send(int number) const { return syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0); }

  int fd_;
};

// Puts much; b's process is stopped as soon as `watched` has something of it. False: the command
// was at its end before that.
bool StopDuringPut(const std::string& watched, std::chrono::seconds timeout) {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  ProcessOptions options;  // several batches, each of more than a socket holds
  for (int i = 0; i < 60; ++i)
    options.input += "---\nkind: Secret\nmetadata: {name: s" + std::to_string(i) +
                     "}\nstringData: {k: " + std::string(200'000, static_cast<char>('a' + i % 26)) +
                     "}\n";
  const std::size_t before = FilesOf(scene.token(watched));
  Process put(scene.cluster().Command(
                  {"put", "-f", "-", "--timeout", std::to_string(timeout.count()) + "s"}),
              options);
  const auto deadline = Steady::now() + timeout;
  while (FilesOf(scene.token(watched)) <= before && Steady::now() < deadline) poll(nullptr, 0, 1);
  const pid_t child = ChildFor(put.pid(), "b");
  if (FilesOf(scene.token(watched)) <= before || child == 0) return false;
  const Stopped stopped(child);
  const auto begin = Steady::now();
  const Ended ended = put.Wait(timeout + kSlack);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin);
  CHECK_MESSAGE(!ended.timed_out, "still running after ", took.count(), " ms");
  CHECK_MESSAGE(ended.code != 0, ended.out.substr(0, 500));
  CHECK(scene.Value("app") == "kept");
  return true;
}

void StopDuringPut(const std::string& watched) {
  for (const std::chrono::seconds timeout : kTimeouts)
    if (StopDuringPut(watched, timeout)) return;
  FAIL("no put came as far as " << watched << " in time");
}

}  // namespace

TEST_CASE("a put ends in time when a mirror's process stops before it is sent much data") {
  StopDuringPut("a");  // the Primary, which has it first
}

TEST_CASE("a put ends in time when a mirror's process stops while it writes much data") {
  StopDuringPut("b");
}

TEST_CASE("a sync whose Primary hangs after deletions were collected does not say that it failed") {
  RegressScene scene({"a", "b"});
  scene.Put("x", "deleted");
  scene.Put("other", "kept");
  scene.Delete("x");
  scene.plan("a").Set("call=1 mode=hang function=C_DestroyObject times=0");
  const Ended sync = scene.Hsm({"--timeout", "4s", "sync"});
  HSM_CHECK_EXIT(sync, 7);
  CHECK_MESSAGE(Says(sync.out, "b unknown"), sync.out, sync.err);
  scene.NoFaults();
  HSM_CHECK_EXIT(scene.Hsm({"sync"}), 0);
}

}  // namespace hsmops::test
