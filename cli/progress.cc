#include "cli/progress.h"

#include <fmt/format.h>

#include <ostream>
#include <utility>

namespace hsmops::cli {
namespace {

constexpr std::uint64_t kBarWidth = 30;
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kLine{1};

}  // namespace

// The first line waits a second: what is quick shows nothing.
ProgressBar::ProgressBar(Context& context, std::string what)
    : context_(context),
      what_(std::move(what)),
      next_(context.clock().Now() + (context.streams().err_is_terminal ? base::Duration(kRedraw)
                                                                       : base::Duration(kLine))) {}

ProgressBar::~ProgressBar() {
  if (drawn_ && context_.streams().err_is_terminal) context_.err() << "\r\x1b[K" << std::flush;
}

mirror::Progress ProgressBar::Callback() {
  return [this](std::uint64_t done, std::uint64_t total) { Show(done, total); };
}

void ProgressBar::Show(std::uint64_t done, std::uint64_t total) {
  const base::TimePoint now = context_.clock().Now();
  if (now < next_ || total == 0) return;
  const std::uint64_t filled = kBarWidth * done / total;
  drawn_ = true;
  if (context_.streams().err_is_terminal) {
    next_ = now + kRedraw;
    context_.err() << fmt::format("\r{} [{:#<{}}{:.<{}}] {}/{}\x1b[K", what_, "", filled, "",
                                  kBarWidth - filled, done, total)
                   << std::flush;
  } else {
    next_ = now + kLine;
    if (std::exchange(told_, done) == done) return;
    context_.err() << fmt::format("{} {}/{}\n", what_, done, total);
  }
}

}  // namespace hsmops::cli
