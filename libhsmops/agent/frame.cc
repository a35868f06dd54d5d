#include "libhsmops/agent/frame.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "libhsmops/base/file.h"

namespace hsmops::agent {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

struct Patience {
  base::Clock& clock;
  base::TimePoint deadline;
};

// Until the socket is ready for `events`; kLimit when patience ends first.
Result<void> WaitFor(int socket, short events, const Patience& patience) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - patience.clock.Now())
            .count();
    if (left <= 0) return Error(ErrorCode::kLimit, "no answer in time");
    pollfd waiting{socket, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready < 0 && errno != EINTR) return base::ErrnoError("waiting on", "socket", errno);
    if (ready > 0) return {};
  }
}

Result<void> ReceiveAll(int socket, std::uint8_t* out, std::size_t size,
                        const std::optional<Patience>& patience) {
  while (size > 0) {
    if (patience) HSM_RETURN_IF_ERROR(WaitFor(socket, POLLIN, *patience));
    const ssize_t n = recv(socket, out, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return Error(ErrorCode::kUnavailable, base::ErrnoError("reading", "socket", errno).message());
    if (n == 0) return Error(ErrorCode::kUnavailable, "the other end closed the socket");
    out += n;
    size -= static_cast<std::size_t>(n);
  }
  return {};
}

Result<base::SecretBytes> Receive(int socket, std::size_t limit,
                                  const std::optional<Patience>& patience) {
  std::uint8_t header[4];
  HSM_RETURN_IF_ERROR(ReceiveAll(socket, header, sizeof header, patience));
  const std::size_t size = std::size_t{header[0]} << 24 | std::size_t{header[1]} << 16 |
                           std::size_t{header[2]} << 8 | header[3];
  if (size > limit) return Error(ErrorCode::kLimit, "a message longer than the limit");
  base::SecretBytes message(size);
  HSM_RETURN_IF_ERROR(ReceiveAll(socket, message.data(), size, patience));
  return message;
}

Result<void> Send(int socket, base::ByteView message, const std::optional<Patience>& patience) {
  if (message.size() > kMaxFrameBytes)
    return Error(ErrorCode::kLimit, "a message longer than 256 MiB");
  const std::uint8_t header[4] = {static_cast<std::uint8_t>(message.size() >> 24),
                                  static_cast<std::uint8_t>(message.size() >> 16),
                                  static_cast<std::uint8_t>(message.size() >> 8),
                                  static_cast<std::uint8_t>(message.size())};
  iovec pieces[2] = {{const_cast<std::uint8_t*>(header), sizeof header},
                     {const_cast<std::uint8_t*>(message.data()), message.size()}};
  msghdr out{};
  out.msg_iov = pieces;
  out.msg_iovlen = 2;
  while (pieces[0].iov_len + pieces[1].iov_len > 0) {
    if (patience) HSM_RETURN_IF_ERROR(WaitFor(socket, POLLOUT, *patience));
    ssize_t n = sendmsg(socket, &out, MSG_NOSIGNAL | (patience ? MSG_DONTWAIT : 0));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0)
      return Error(ErrorCode::kUnavailable, base::ErrnoError("writing", "socket", errno).message());
    for (iovec& piece : pieces) {
      const std::size_t taken = std::min(static_cast<std::size_t>(n), piece.iov_len);
      piece.iov_base = static_cast<std::uint8_t*>(piece.iov_base) + taken;
      piece.iov_len -= taken;
      n -= static_cast<ssize_t>(taken);
    }
  }
  return {};
}

}  // namespace

Result<void> SendFrame(int socket, base::ByteView message) {
  return Send(socket, message, std::nullopt);
}

Result<void> SendFrame(int socket, base::ByteView message, base::Clock& clock,
                       base::TimePoint deadline) {
  return Send(socket, message, Patience{clock, deadline});
}

bool WaitForFrame(int socket, std::chrono::milliseconds patience) {
  pollfd waiting{socket, POLLIN, 0};
  return poll(&waiting, 1, static_cast<int>(patience.count())) != 0;
}

Result<base::SecretBytes> ReceiveFrame(int socket, std::size_t limit) {
  return Receive(socket, limit, std::nullopt);
}

Result<base::SecretBytes> ReceiveFrame(int socket, std::size_t limit, base::Clock& clock,
                                       base::TimePoint deadline) {
  return Receive(socket, limit, Patience{clock, deadline});
}

}  // namespace hsmops::agent
