// Executor: runs independent pieces of work and waits for all of them; and what those who run at
// once share a thing by.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
  virtual std::unique_ptr<Monitor> MakeMonitor() { return std::make_unique<ThreadMonitor>(); }
};

// A thread per task, at most `limit` at once, all joined before RunAll returns.
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(unsigned limit = 32) : limit_(limit) {}
  void RunAll(std::vector<Task> tasks) override;

 private:
  unsigned limit_;
};

// One after the other in an order that the seed gives.
class SequentialExecutor : public Executor {
 public:
  explicit SequentialExecutor(std::uint64_t seed = 0) : state_(seed) {}
  void RunAll(std::vector<Task> tasks) override;

 private:
  std::uint64_t state_;
};

}  // namespace hsmops::base
