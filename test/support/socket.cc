#include "test/support/socket.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hsmops::test {
namespace {

sockaddr_in AddressIn(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
  return address;
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

int Connect(const std::string& address) {
  const std::size_t colon = address.find(':');
  const sockaddr_in to = AddressIn(address.substr(0, colon), std::stoi(address.substr(colon + 1)));
  const int fd = NewSocket();
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return fd;
  close(fd);
  return -1;
}

int Listen(const std::string& host, std::string& address) {
  const int fd = NewSocket();
  sockaddr_in at = AddressIn(host, 0);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(listen(fd, SOMAXCONN) == 0);
  socklen_t size = sizeof at;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  address = fmt::format("{}:{}", host, ntohs(at.sin_port));
  return fd;
}

}  // namespace hsmops::test
