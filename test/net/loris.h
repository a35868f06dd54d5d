// Loris: peers that open connections and then hardly say anything: handshakes that never end, a
// header that comes a byte at a time, a body that does. Whoever is thrown out comes again.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "libhsmops/net/credentials.h"
#include "test/support/network.h"

namespace hsmops::test {

class Loris {
 public:
  // Of each of the three kinds so many to every address, from the network of `node`, with these
  // credentials; until the destructor. The network must outlive it.
  Loris(const Network& network, std::string node, std::vector<std::string> addresses,
        net::CredentialFiles files, int of_each);
  ~Loris();
  Loris(const Loris&) = delete;
  Loris& operator=(const Loris&) = delete;

  // How often one of them was thrown out.
  int thrown_out() const { return thrown_out_; }

 private:
  void Crawl(const std::string& address, int of_each);

  const Network& network_;
  const std::string node_;
  const net::CredentialFiles files_;
  std::atomic<bool> stop_{false};
  std::atomic<int> thrown_out_{0};
  std::vector<std::thread> threads_;
};

}  // namespace hsmops::test
