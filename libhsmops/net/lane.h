// Lane: threads of their own and a bounded queue before them, so that one kind of work cannot make
// another wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hsmops::net {

struct LaneLimits {
  std::string name;
  unsigned threads = 1;  // at least 1
  std::size_t queue =
      16;  // pieces of work that wait; 0: none may, so one is taken by an idle thread
};

// Thread-safe. A piece of work does not throw.
class Lane {
 public:
  explicit Lane(const LaneLimits& limits);
  ~Lane() { Stop(); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Whether Offer would refuse now; only a hint, others offer too.
  bool full() const;
  // False: the queue is full or the lane has stopped; the work was not taken and will not run.
  bool Offer(std::function<void()> work);
  // What waits is dropped, what runs is waited for. Not from a piece of work.
  void Stop();

 private:
  void Run();
  bool FullLocked() const { return stopping_ || queue_.size() >= idle_ + limits_.queue; }

  const LaneLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::size_t idle_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hsmops::net
