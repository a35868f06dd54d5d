#include "libhsmops/agent/subprocess.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

extern char** environ;

namespace hsmops::agent {
namespace {

constexpr std::chrono::milliseconds kKillWait{2000};

// False: it still runs after `wait`, or sleeps where no signal reaches it.
bool EndsWithin(base::Duration wait, pid_t pid, int& status, base::Clock& clock) {
  const base::TimePoint deadline = clock.Now() + wait;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (clock.Now() >= deadline) return false;
    clock.SleepFor(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

base::Result<Subprocess> Subprocess::Start(const std::string& program, const std::string& verb) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return base::ErrnoError("making", "a socketpair", errno);
  Subprocess process;
  process.socket_ = base::Fd(ends[0]);
  const base::Fd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::string name = "kubectl-hsm";
  std::string word = verb;
  char* argv[] = {name.data(), word.data(), nullptr};
  const int error =
      posix_spawn(&process.pid_, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return process;
  process.pid_ = 0;
  return base::ErrnoError("starting", program, error);
}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(socket_, other.socket_);
  return *this;
}

Subprocess::~Subprocess() {
  base::SystemClock clock;
  End(base::Duration(0), clock);
}

std::string Subprocess::End(base::Duration wait, base::Clock& clock) {
  socket_.Close();
  if (pid_ <= 0) return "not running";
  const pid_t pid = std::exchange(pid_, 0);
  int status = 0;
  if (!EndsWithin(wait, pid, status, clock)) {
    kill(pid, SIGKILL);
    // One that waits for its disk ends when the disk comes back; its locks are its own until then.
    if (!EndsWithin(kKillWait, pid, status, clock)) return "killed, and not gone yet";
  }
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace hsmops::agent
