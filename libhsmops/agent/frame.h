// Frame: a message on a stream socket, a 32-bit big-endian length before its bytes.
#pragma once

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"

namespace hsmops::agent {

inline constexpr std::size_t kMaxFrameBytes = std::size_t{256} << 20;

// kUnavailable: the other end is gone. Never raises SIGPIPE.
base::Result<void> SendFrame(int socket, base::ByteView message);
// The same until `deadline`; kLimit when it passes with the message partly sent.
base::Result<void> SendFrame(int socket, base::ByteView message, base::Clock& clock,
                             base::TimePoint deadline);

// True: there is something to read, or the other end is gone. False: nothing for so long.
bool WaitForFrame(int socket, std::chrono::milliseconds patience);

// Waits for ever. kUnavailable: closed or broken; kLimit: longer than `limit`.
base::Result<base::SecretBytes> ReceiveFrame(int socket, std::size_t limit);
// The same until `deadline`; kLimit when it passes.
base::Result<base::SecretBytes> ReceiveFrame(int socket, std::size_t limit, base::Clock& clock,
                                             base::TimePoint deadline);

}  // namespace hsmops::agent
