#include "test/support/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace hsmops::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::vector<std::string> Environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) all.push_back(name + "=" + value);
  }
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// An unnamed file that holds the input: it cannot block the writer as a pipe would.
int InputFile(const std::string& input) {
  if (input.empty()) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int fd = memfd_create("stdin", MFD_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(write(fd, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
  REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

// False at the end of the stream.
bool ReadSome(int fd, std::string& into) {
  char buffer[65536];
  const ssize_t count = read(fd, buffer, sizeof buffer);
  if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

int LeftMs(SteadyClock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

}  // namespace

Process::Process(std::vector<std::string> argv, ProcessOptions options) {
  int out[2];
  int err[2];
  REQUIRE(pipe2(out, O_CLOEXEC) == 0);
  REQUIRE(pipe2(err, O_CLOEXEC) == 0);
  const int in = InputFile(options.input);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  if (!options.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  }
  // The test's main ignores SIGPIPE; a program under test starts as a shell would start it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> env = Environment(options.env);
  const std::string program = argv.at(0);
  const int error = posix_spawnp(&pid_, program.c_str(), &actions, &attributes,
                                 Pointers(argv).data(), Pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(in);
  close(out[1]);
  close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
  REQUIRE_MESSAGE(error == 0, "starting ", program, ": ", std::strerror(error));
}

Process::~Process() {
  if (pid_ > 0 && !reaped_) {
    kill(pid_, SIGKILL);
    Reap(true);
  }
  if (out_fd_ >= 0) close(out_fd_);
  if (err_fd_ >= 0) close(err_fd_);
}

void Process::Signal(int number) {
  if (!reaped_) kill(pid_, number);
}

bool Process::Pump(int wait_ms) {
  pollfd streams[] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};
  if (poll(streams, 2, wait_ms) > 0) {
    if (streams[0].revents != 0 && !ReadSome(out_fd_, out_)) close(std::exchange(out_fd_, -1));
    if (streams[1].revents != 0 && !ReadSome(err_fd_, err_)) close(std::exchange(err_fd_, -1));
  }
  return out_fd_ >= 0 || err_fd_ >= 0;
}

bool Process::Reap(bool block) {
  if (!reaped_) reaped_ = waitpid(pid_, &status_, block ? 0 : WNOHANG) == pid_;
  return reaped_;
}

Ended Process::Wait(std::chrono::milliseconds limit) {
  const auto deadline = SteadyClock::now() + limit;
  Ended ended;
  // A child of its own may hold the streams open after it has ended: look at both.
  while (!Reap(false)) {
    if (LeftMs(deadline) == 0) {
      ended.timed_out = true;
      kill(pid_, SIGKILL);
      Reap(true);
      break;
    }
    if (out_fd_ >= 0 || err_fd_ >= 0) {
      Pump(std::min(LeftMs(deadline), 10));
    } else {
      poll(nullptr, 0, 1);
    }
  }
  for (int idle = 0; idle < 20 && (out_fd_ >= 0 || err_fd_ >= 0); ++idle) {
    const std::size_t before = out_.size() + err_.size();
    Pump(10);
    if (out_.size() + err_.size() != before) idle = 0;
  }
  if (WIFEXITED(status_)) ended.code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) ended.signal = WTERMSIG(status_);
  ended.out = out_;
  ended.err = err_;
  return ended;
}

bool Process::WaitFor(const std::string& text, std::chrono::milliseconds limit) {
  const auto deadline = SteadyClock::now() + limit;
  const auto found = [&] {
    return out_.find(text) != std::string::npos || err_.find(text) != std::string::npos;
  };
  while (!found()) {
    const int left = LeftMs(deadline);
    if (left == 0) return false;
    if (!Pump(left)) return found();
  }
  return true;
}

std::string Process::Says(const std::string& words, std::chrono::milliseconds limit) {
  const auto deadline = SteadyClock::now() + limit;
  for (;;) {
    const std::size_t at = err_.find(words);
    const std::size_t end = at == std::string::npos ? at : err_.find('\n', at);
    if (end != std::string::npos) return err_.substr(at + words.size(), end - at - words.size());
    const int left = LeftMs(deadline);
    if (left == 0 || !Pump(left)) return "";
  }
}

Ended Run(std::vector<std::string> argv, ProcessOptions options, std::chrono::milliseconds limit) {
  return Process(std::move(argv), std::move(options)).Wait(limit);
}

}  // namespace hsmops::test
