// Executor: runs independent pieces of work and waits for all of them; and what those who run at
// once share a thing by.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "libhsmops/base/monitor.h"

namespace hsmops::base {

class Executor {
 public:
  using Task = std::function<void()>;
  virtual ~Executor() = default;
  // Returns when every task has. Tasks share nothing that is not their own to guard, and do not
  // throw.
  virtual void RunAll(std::vector<Task> tasks) = 0;
  // Runs it beside the caller. Who starts it sees to it that it ends before what it uses does.
  virtual void Start(Task task) = 0;
  virtual std::unique_ptr<Monitor> MakeMonitor() { return std::make_unique<ThreadMonitor>(); }
};

// A thread per task, at most `limit` at once, all joined before RunAll returns; those of Start when
// the executor goes, at the latest.
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(unsigned limit = 32) : limit_(limit) {}
  void RunAll(std::vector<Task> tasks) override;
  void Start(Task task) override;

 private:
  struct Started {
    std::atomic<bool> ended{false};
    std::jthread thread;
  };
  unsigned limit_;
  std::mutex mutex_;
  std::list<Started> started_;
};

// One after the other in an order that the seed gives.
class SequentialExecutor : public Executor {
 public:
  explicit SequentialExecutor(std::uint64_t seed = 0) : state_(seed) {}
  void RunAll(std::vector<Task> tasks) override;
  void Start(Task task) override { task(); }

 private:
  std::uint64_t state_;
};

}  // namespace hsmops::base
