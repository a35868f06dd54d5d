#include "cli/process_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

namespace {

std::atomic<bool> g_stop{false};  // a signal handler reaches nothing else

extern "C" void AskToStop(int) {
  if (g_stop.exchange(true)) _exit(kInterrupted);
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
