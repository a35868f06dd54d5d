#include "libhsmops/token/watchdog.h"

namespace hsmops::token {

Watchdog::Watchdog(std::chrono::milliseconds limit, OnHung on_hung)
    : on_hung_(std::move(on_hung)), thread_([this, limit] { Watch(limit); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::Begin(const char* function) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  function_.store(function, std::memory_order_release);
}

// Looks four times within the limit: a call that is the same one at four looks in a row has lasted
// at least three quarters of it, and is reported before it has lasted five quarters.
void Watchdog::Watch(std::chrono::milliseconds limit) {
  std::uint64_t seen = 0;
  int looks = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, limit / 4, [this] { return stop_; })) {
    const char* function = function_.load(std::memory_order_acquire);
    const std::uint64_t calls = calls_.load(std::memory_order_relaxed);
    looks = function != nullptr && calls == seen ? looks + 1 : 0;
    seen = calls;
    if (looks == 4) on_hung_(function);
  }
}

}  // namespace hsmops::token
