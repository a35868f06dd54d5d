#include "libhsmops/agent/voice.h"

#include "libhsmops/agent/frame.h"

namespace hsmops::agent {

Voice::Voice(int socket, std::chrono::milliseconds interval)
    : socket_(socket), interval_(interval), beat_([this] { Beat(); }) {}

Voice::~Voice() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  beat_.join();
}

void Voice::BeginWork() {
  const std::lock_guard lock(mutex_);
  working_ = true;
}

base::Result<void> Voice::Answer(base::ByteView frame) {
  const std::lock_guard lock(mutex_);
  working_ = false;
  return SendFrame(socket_, frame);
}

void Voice::Beat() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval_, [this] { return ended_; })) {
    // A parent that is gone is noticed by who reads from it.
    if (working_) (void)SendFrame(socket_, base::ByteView(&kAliveMark, 1));
  }
}

}  // namespace hsmops::agent
