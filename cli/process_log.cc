#include "cli/process_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

namespace {

// A signal handler reaches nothing else.
std::atomic<bool> g_stop{false};
std::atomic<std::int64_t> g_asked_at{0};  // ns of CLOCK_MONOTONIC; 0: not yet

// A second time ends it at once. timeout(1) sends its signal to the process and to its group, which
// is not a second time.
extern "C" void AskToStop(int) {
  constexpr std::int64_t kSameNs = 100'000'000;
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t ns = now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
  std::int64_t first = 0;
  const bool again = !g_asked_at.compare_exchange_strong(first, ns);
  if (again && ns - first > kSameNs) _exit(kInterrupted);
  g_stop = true;
}

}  // namespace

base::Result<std::unique_ptr<ProcessLog>> ProcessLog::Open(Context& context,
                                                           const std::string& format) {
  if (!format.empty() && format != "text" && format != "json")
    return base::Error(
        base::ErrorCode::kInvalid,
        fmt::format("--log-format is text or json, not {}", base::Printable(format)));
  return std::unique_ptr<ProcessLog>(new ProcessLog(context, format == "json"));
}

void ProcessLog::Say(const std::string& level, const std::string& sentence) {
  const std::string time = base::FormatMicroTime(context_.clock().Wall());
  const std::lock_guard lock(mutex_);
  if (json_) {
    const nlohmann::json line{{"time", time}, {"level", level}, {"msg", sentence}};
    context_.err() << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                   << std::endl;
  } else {
    context_.err() << fmt::format("{} {}: {}", time, level, base::Printable(sentence)) << std::endl;
  }
}

StopSignal::StopSignal()
    : terminate_(std::signal(SIGTERM, AskToStop)), interrupt_(std::signal(SIGINT, AskToStop)) {}

StopSignal::~StopSignal() {
  std::signal(SIGTERM, terminate_);
  std::signal(SIGINT, interrupt_);
}

const std::atomic<bool>& StopSignal::asked() const { return g_stop; }

}  // namespace hsmops::cli
