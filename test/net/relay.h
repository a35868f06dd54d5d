// Relay: a TCP port in front of another one that passes everything on later, both ways. The kernel
// here has no delay of its own (netem).
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "test/support/network.h"

namespace hsmops::test {

class Relay {
 public:
  // Listens in the network of `node`, at a free port of its address; passes on to `target`, which
  // is host:port. The network must outlive it.
  Relay(const Network& network, const std::string& node, std::string target);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return address_; }
  void Delay(std::chrono::milliseconds delay) { delay_ = delay; }  // 0 at first

 private:
  void Accept(const Network& network, const std::string& node);
  void Pass(int client) const;

  const std::string target_;
  std::string address_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::thread accepts_;
};

}  // namespace hsmops::test
