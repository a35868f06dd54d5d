// Monitor: a lock and a place to wait at, as a seam: threads in a process, fibres in the simulator.
//
// Locked by one at a time, not again by the same. What waits is woken by NotifyAll, or for no
// reason, and looks again at what it waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace hsmops::base {

class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void lock() = 0;  // the names that std::lock_guard wants
  virtual void unlock() = 0;
  // Locked by the caller; not while it waits, and again when it returns.
  virtual void Wait() = 0;
  virtual void NotifyAll() = 0;
};

class ThreadMonitor : public Monitor {
 public:
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }
  void Wait() override;
  void NotifyAll() override { changed_.notify_all(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace hsmops::base
