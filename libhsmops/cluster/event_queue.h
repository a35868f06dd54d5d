// EventQueue: tells Events by a thread of its own, so that nobody waits for them.
//
// Of subjects of which each is told seldom: none is folded (EventRecorder::Tell). What cannot be
// told, and what waits when the queue goes, is lost; the status of the object says it too.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "libhsmops/cluster/event_recorder.h"

namespace hsmops::cluster {

class EventQueue {
 public:
  static constexpr std::size_t kMost = 4096;
  // Told once when it begins to lose some for want of room, and again after it had room.
  using Full = std::function<void()>;

  // All must outlive it. `rng` must be thread-safe where others use it.
  EventQueue(ResourceStore& store, base::Clock& clock, base::Rng& rng, std::string controller,
             std::string instance, Full full);
  ~EventQueue();
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  // Dated now, told later. Where kMost wait already the oldest of them is lost.
  void Tell(EventSubject subject, EventRecorder::What what);

 private:
  struct Waiting {
    EventSubject subject;
    EventRecorder::What what;
    base::WallTime when;
  };
  void Run(const std::stop_token& stop);

  base::Clock& clock_;
  const Full full_;
  EventRecorder recorder_;  // of the thread alone
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Waiting> waiting_;
  bool losing_ = false;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace hsmops::cluster
