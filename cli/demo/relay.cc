#include "cli/demo/relay.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace hsmops::cli {

using base::Fd;
using base::Result;

namespace {

constexpr int kRelayLookMs = 20;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd TcpSocket() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

Result<void> Relay::Open() {
  listener_ = TcpSocket();
  sockaddr_in at = Loopback(0);
  socklen_t size = sizeof at;
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      listen(listener_.get(), SOMAXCONN) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size) != 0)
    return base::ErrnoError("listening on", "127.0.0.1", errno);
  address_ = fmt::format("127.0.0.1:{}", ntohs(at.sin_port));
  thread_ = std::thread([this] { Run(); });
  return {};
}

Relay::~Relay() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Relay::Run() {
  while (!stop_) {
    std::vector<pollfd> waits;
    if (!cut_) {
      waits.push_back({listener_.get(), POLLIN, 0});
      for (const Pair& pair : pairs_) {
        waits.push_back({pair.client.get(), POLLIN, 0});
        waits.push_back({pair.server.get(), POLLIN, 0});
      }
    }
    if (poll(waits.data(), waits.size(), kRelayLookMs) <= 0) continue;
    auto wait = waits.begin() + 1;
    for (auto pair = pairs_.begin(); pair != pairs_.end();) {
      const bool from_client = (wait++)->revents != 0;
      const bool from_server = (wait++)->revents != 0;
      const bool open = (!from_client || Pass(pair->client.get(), pair->server.get())) &&
                        (!from_server || Pass(pair->server.get(), pair->client.get()));
      pair = open ? std::next(pair) : pairs_.erase(pair);
    }
    if (waits.front().revents != 0) Accept();
  }
}

void Relay::Accept() {
  Pair pair{Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)), TcpSocket()};
  const sockaddr_in to = Loopback(port_);
  if (pair.client.get() >= 0 &&
      connect(pair.server.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
    pairs_.push_back(std::move(pair));
}

// False: one of the two has ended.
bool Relay::Pass(int from, int to) {
  char piece[16384];
  const ssize_t count = recv(from, piece, sizeof piece, MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  for (ssize_t sent = 0; sent < count;) {
    const ssize_t now =
        send(to, piece + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return count > 0;
}

}  // namespace hsmops::cli
