#include "libhsmops/base/executor.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

namespace hsmops::base {

void ThreadExecutor::RunAll(std::vector<Task> tasks) {
  if (tasks.empty()) return;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) tasks[i]();
  };
  std::vector<std::jthread> threads;
  const std::size_t count = std::min<std::size_t>(limit_, tasks.size());
  for (std::size_t i = 1; i < count; ++i) threads.emplace_back(work);
  work();
}

void ThreadExecutor::Start(Task task) {
  const std::lock_guard lock(mutex_);
  std::erase_if(started_, [](const Started& one) { return one.ended.load(); });  // and joins them
  Started& one = started_.emplace_back();
  one.thread = std::jthread([&one, task = std::move(task)] {
    task();
    one.ended = true;
  });
}

void SequentialExecutor::RunAll(std::vector<Task> tasks) {
  std::mt19937_64 order(state_++);
  std::shuffle(tasks.begin(), tasks.end(), order);
  for (const Task& task : tasks) task();
}

}  // namespace hsmops::base
