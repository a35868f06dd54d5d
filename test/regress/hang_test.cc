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
constexpr std::chrono::seconds kTimeout{4};
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
  std::error_code gone;
  for (pid_t child = 0; children >> child;) {
    const std::string folder = "/proc/" + std::to_string(child) + "/fd";
    for (fs::directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone)) {
      if (Says(fs::read_symlink(at->path(), gone).string(), "/.members/default.local/" + node))
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

}  // namespace

TEST_CASE("hang: a put of much data ends in time when a token's process is stopped") {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  std::string much;  // several batches, each of more than a socket holds
  for (int i = 0; i < 60; ++i)
    much += "---\nkind: Secret\nmetadata: {name: s" + std::to_string(i) +
            "}\nstringData: {k: " + std::string(200'000, static_cast<char>('a' + i % 26)) + "}\n";
  const std::size_t before = FilesOf(scene.token("b"));
  ProcessOptions options;
  options.input = much;
  Process put(scene.cluster().Command(
                  {"put", "-f", "-", "--timeout", std::to_string(kTimeout.count()) + "s"}),
              options);
  const auto deadline = Steady::now() + std::chrono::seconds(30);
  while (FilesOf(scene.token("b")) == before && Steady::now() < deadline) poll(nullptr, 0, 1);
  REQUIRE(FilesOf(scene.token("b")) > before);
  const pid_t child = ChildFor(put.pid(), "b");
  REQUIRE(child > 0);
  Stopped stopped(child);
  const auto begin = Steady::now();
  const Ended ended = put.Wait(kTimeout + kSlack);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin);
  MESSAGE("it ended after ", took.count(), " ms with ", ended.code);
  CHECK(!ended.timed_out);
  CHECK_MESSAGE(ended.code > 0, ended.err.substr(0, 500));
  CHECK(ended.code != 130);
  CHECK(scene.Value("app") == "kept");
}

}  // namespace hsmops::test
