// ConnectProxy: an HTTP proxy that only tunnels (RFC 9110, CONNECT), on one node of a test's
// network, for one connection at a time.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "test/support/network.h"

namespace hsmops::test {

class ConnectProxy {
 public:
  // Refuses with 407 whoever does not send this in Proxy-Authorization; empty: nobody. The network
  // must outlive it.
  ConnectProxy(const Network& network, std::string node, std::string authorization = {});
  ~ConnectProxy();
  ConnectProxy(const ConnectProxy&) = delete;
  ConnectProxy& operator=(const ConnectProxy&) = delete;

  const std::string& address() const { return address_; }  // host:port
  std::string LastAsked();                                 // "CONNECT host:port HTTP/1.1"

 private:
  void Serve(const Network& network, const std::string& node);
  void Tunnel(int client);
  void Pass(int client, int server) const;

  const std::string authorization_;
  std::string address_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::string asked_;
  std::thread serves_;
};

}  // namespace hsmops::test
