// Progress: a bar on a terminal, a line a second off it, both on stderr.
#pragma once

#include <string>

#include "cli/context.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::cli {

// Draws while it lives; its end clears the bar. `context` must outlive it.
class ProgressBar {
 public:
  ProgressBar(Context& context, std::string what);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  mirror::Progress Callback();

 private:
  void Show(std::uint64_t done, std::uint64_t total);
  Context& context_;
  std::string what_;
  base::TimePoint next_;
  bool drawn_ = false;
  std::uint64_t told_ = 0;  // off a terminal
};

}  // namespace hsmops::cli
