// ProcessLog and StopSignal: what the long-running faces need besides their work.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "cli/context.h"

namespace hsmops::cli {

// One line a sentence, to standard error: as text with the time before it, or as a JSON object.
// Thread-safe.
class ProcessLog {
 public:
  // kInvalid: `format` is neither "", "text" nor "json".
  static base::Result<std::unique_ptr<ProcessLog>> Open(Context& context,
                                                        const std::string& format);
  void Say(const std::string& level, const std::string& sentence);

 private:
  ProcessLog(Context& context, bool as_json) : context_(context), json_(as_json) {}
  Context& context_;
  const bool json_;
  std::mutex mutex_;
};

// While it lives SIGTERM and SIGINT ask to stop; a second one ends the process at once. One at a
// time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  const std::atomic<bool>& asked() const;

 private:
  using SignalAction = void (*)(int);
  SignalAction terminate_;  // as they were before
  SignalAction interrupt_;
};

}  // namespace hsmops::cli
