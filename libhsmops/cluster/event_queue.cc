#include "libhsmops/cluster/event_queue.h"

#include <utility>

namespace hsmops::cluster {

EventQueue::EventQueue(ResourceStore& store, base::Clock& clock, base::Rng& rng,
                       std::string controller, std::string instance, Full full)
    : clock_(clock),
      full_(std::move(full)),
      recorder_(store, clock, rng, std::move(controller), std::move(instance)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

EventQueue::~EventQueue() = default;

void EventQueue::Tell(EventSubject subject, EventRecorder::What what) {
  Waiting one{std::move(subject), std::move(what), clock_.Wall()};
  bool begins_to_lose = false;
  {
    const std::lock_guard lock(mutex_);
    const bool loses = waiting_.size() >= kMost;
    if (loses) waiting_.pop_front();
    begins_to_lose = loses && !std::exchange(losing_, loses);
    waiting_.push_back(std::move(one));
  }
  wake_.notify_one();
  if (begins_to_lose && full_) full_();
}

void EventQueue::Run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    if (stop.stop_requested()) return;
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (waiting_.size() < kMost / 2) losing_ = false;
    lock.unlock();
    (void)recorder_.Tell(next.subject, next.what, next.when);
    lock.lock();
  }
}

}  // namespace hsmops::cluster
