// Load: clients of a cluster in a Network, each a thread in the network of "client": they write and
// read through the managers, as the command line's live API has it, and note everything in a
// History. One more asks every agent, all the time, whether it answers as the Primary.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libhsmops/mirror/member.h"
#include "libhsmops/net/curl_transport.h"
#include "test/net/history.h"
#include "test/net/net_cluster.h"

namespace hsmops::test {

class Load {
 public:
  static constexpr int kClients = 8;
  static constexpr int kNames = 100;

  // All must outlive it. It begins at once.
  Load(NetCluster& cluster, const Network& network, History& history);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  void Stop();  // what is under way is waited for
  // What the members hold, asked of them one by one; the calling thread need not be in a network.
  base::Result<store::Inventory> InventoryOf(const std::string& node);
  base::Result<mirror::Pulse> PulseOf(const std::string& node);

 private:
  class Client;
  void WatchAgents();
  std::unique_ptr<mirror::Member> Reach(const std::string& node);

  NetCluster& cluster_;
  const Network& network_;
  History& history_;
  base::SystemClock clock_;
  std::unique_ptr<net::CredentialSource> credentials_;
  std::unique_ptr<net::CurlTransport> transport_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace hsmops::test
