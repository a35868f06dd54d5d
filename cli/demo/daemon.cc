#include "cli/demo/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "libhsmops/base/file.h"

extern char** environ;

namespace hsmops::cli {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr std::chrono::seconds kListens{20};
constexpr std::chrono::milliseconds kDaemonLook{20};
constexpr std::size_t kMaxLog = std::size_t{4} << 20;
constexpr std::size_t kLastWords = 400;

// Its standard error goes to `log`, from the begin.
Result<pid_t> Spawn(const std::string& program, std::vector<std::string>& words,
                    const std::string& log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::ErrnoError("starting", program, error);
  return pid;
}

}  // namespace

Daemon::Daemon(Daemon&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      log_(std::move(other.log_)),
      address_(std::move(other.address_)),
      pages_(std::move(other.pages_)) {}

Daemon& Daemon::operator=(Daemon&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(log_, other.log_);
  std::swap(address_, other.address_);
  std::swap(pages_, other.pages_);
  return *this;
}

Daemon::~Daemon() { Kill(); }

void Daemon::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

bool Daemon::Ended() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == 0) return false;
  pid_ = 0;
  return true;
}

std::string Daemon::Log() const {
  const auto read = base::ReadFile(log_, kMaxLog);
  if (!read.ok()) return {};
  return {reinterpret_cast<const char*>(read->data()), read->size()};
}

// What stands behind these words on a line that is whole.
std::string Daemon::Said(const std::string& words) const {
  const std::string log = Log();
  const std::size_t at = log.find(words);
  if (at == std::string::npos) return {};
  const std::size_t end = log.find('\n', at);
  if (end == std::string::npos) return {};
  return log.substr(at + words.size(), end - at - words.size());
}

Result<Daemon> Daemon::Start(const std::string& program, std::vector<std::string> words,
                             std::string log, base::Clock& clock) {
  words.insert(words.begin(), "kubectl-hsm");
  HSM_TRY(const pid_t pid, Spawn(program, words, log));
  Daemon daemon(pid, std::move(log));
  const base::TimePoint until = clock.Now() + kListens;
  while (daemon.address_.empty()) {
    const bool over = daemon.Ended() || clock.Now() >= until;
    daemon.address_ = daemon.Said("listening on ");
    if (daemon.address_.empty() && over) {
      const std::string all = daemon.Log();
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} does not listen: {}", words[1],
                               all.substr(all.size() - std::min(all.size(), kLastWords))));
    }
    if (daemon.address_.empty()) clock.SleepFor(kDaemonLook);
  }
  daemon.pages_ = daemon.Said("health and metrics on ");
  return daemon;
}

}  // namespace hsmops::cli
