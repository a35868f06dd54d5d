#include "libhsmops/net/lane.h"

#include "libhsmops/base/check.h"

namespace hsmops::net {

Lane::Lane(const LaneLimits& limits) : limits_(limits), idle_(limits.threads) {
  HSM_CHECK(limits.threads > 0);
  for (unsigned i = 0; i < limits.threads; ++i) threads_.emplace_back([this] { Run(); });
}

bool Lane::full() const {
  const std::lock_guard lock(mutex_);
  return FullLocked();
}

bool Lane::Offer(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (FullLocked()) return false;
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void Lane::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    --idle_;
    lock.unlock();
    work();
    work = nullptr;  // what it holds goes before the thread is idle again
    lock.lock();
    ++idle_;
  }
}

void Lane::Stop() {
  std::deque<std::function<void()>> dropped;
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    threads.swap(threads_);
  }
  changed_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace hsmops::net
