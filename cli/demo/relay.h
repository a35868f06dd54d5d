// Relay: a port in front of an agent's that can be cut, so that the demo has a network to break
// without being root.
#pragma once

#include <atomic>
#include <list>
#include <string>
#include <thread>

#include "libhsmops/base/file.h"
#include "libhsmops/base/result.h"

namespace hsmops::cli {

class Relay {
 public:
  // A free port of this host, with nobody behind it yet. kUnavailable: there is none.
  base::Result<void> Open();
  ~Relay();

  const std::string& address() const { return address_; }  // "127.0.0.1:43212"
  // The port at 127.0.0.1 that everything is passed on to from now on.
  void PassTo(std::uint16_t port) { port_ = port; }
  // Nothing comes through any more, either way, and nobody is told: what a cable does.
  void Cut(bool cut) { cut_ = cut; }

 private:
  struct Pair {
    base::Fd client;
    base::Fd server;
  };
  void Run();
  void Accept();
  static bool Pass(int from, int to);

  base::Fd listener_;
  std::string address_;
  std::atomic<std::uint16_t> port_{0};
  std::atomic<bool> cut_{false};
  std::atomic<bool> stop_{false};
  std::list<Pair> pairs_;  // of the thread
  std::thread thread_;
};

}  // namespace hsmops::cli
