#include "test/kube/connect_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "test/support/socket.h"

namespace hsmops::test {
namespace {

constexpr int kPollMs = 20;

void Say(int to, std::string_view text) { (void)!send(to, text.data(), text.size(), MSG_NOSIGNAL); }

// To the empty line, and nothing behind it: a client says nothing more before it is answered.
std::string ReadHead(int from) {
  std::string head;
  char buffer[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = recv(from, buffer, sizeof buffer, 0);
    if (count <= 0) break;
    head.append(buffer, static_cast<std::size_t>(count));
  }
  return head;
}

}  // namespace

ConnectProxy::ConnectProxy(const Network& network, std::string node, std::string authorization)
    : authorization_(std::move(authorization)) {
  const Network::Visit visit(network, node);
  listener_ = Listen(network.AddressOf(node), address_);
  serves_ = std::thread([this, &network, node] { Serve(network, node); });
}

ConnectProxy::~ConnectProxy() {
  stop_ = true;
  serves_.join();
  close(listener_);
}

std::string ConnectProxy::LastAsked() {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void ConnectProxy::Serve(const Network& network, const std::string& node) {
  const Network::Visit visit(network, node);
  while (!stop_) {
    pollfd waits{listener_, POLLIN, 0};
    if (poll(&waits, 1, kPollMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    Tunnel(client);
    close(client);
  }
}

void ConnectProxy::Tunnel(int client) {
  const std::string head = ReadHead(client);
  {
    const std::lock_guard lock(mutex_);
    asked_ = head.substr(0, head.find("\r\n"));
  }
  if (!authorization_.empty() &&
      head.find("Proxy-Authorization: " + authorization_ + "\r\n") == std::string::npos)
    return Say(client, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
  const std::size_t from = head.find(' ') + 1;
  const int server =
      head.starts_with("CONNECT ") ? Connect(head.substr(from, head.find(' ', from) - from)) : -1;
  if (server < 0) return Say(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
  Say(client, "HTTP/1.1 200 Connected\r\n\r\n");
  Pass(client, server);
  close(server);
}

void ConnectProxy::Pass(int client, int server) const {
  pollfd waits[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
  char buffer[16384];
  while (!stop_) {
    if (poll(waits, 2, kPollMs) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].revents == 0) continue;
      const ssize_t count = recv(waits[i].fd, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      Say(waits[1 - i].fd, {buffer, static_cast<std::size_t>(count)});
    }
  }
}

}  // namespace hsmops::test
