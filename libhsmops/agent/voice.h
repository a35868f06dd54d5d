// Voice: how a token's process speaks to its parent: answers, and while one is being worked on a
// sign of life at every interval, so that a process that was stopped is told from a busy one.
//
// One thread of its own, which never touches the token. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"

namespace hsmops::agent {

// The first byte of a frame that is no answer; an answer begins with a bool.
inline constexpr std::uint8_t kHungMark = 0xFF;   // a call hangs, the rest of the frame says which
inline constexpr std::uint8_t kAliveMark = 0xFE;  // work goes on; nothing follows

class Voice {
 public:
  // Working from the start: the parent waits for the first answer already.
  Voice(int socket, std::chrono::milliseconds interval);
  ~Voice();
  Voice(const Voice&) = delete;
  Voice& operator=(const Voice&) = delete;

  void BeginWork();
  base::Result<void> Answer(base::ByteView frame);  // and the work is done

 private:
  void Beat();

  int socket_;
  std::chrono::milliseconds interval_;
  std::mutex mutex_;  // one frame at a time, and never a sign of life behind its answer
  std::condition_variable changed_;
  bool working_ = true;
  bool ended_ = false;
  std::thread beat_;
};

}  // namespace hsmops::agent
