// CurlTransport: the Transport over real networks: HTTP/1.1 over mutual TLS 1.3, by libcurl.
#pragma once

#include <atomic>
#include <memory>

#include "libhsmops/base/clock.h"
#include "libhsmops/net/credential_source.h"
#include "libhsmops/net/transport.h"

namespace hsmops::net {

struct CurlLimits {
  std::size_t idle_per_peer = 4;  // connections kept open for the next call
  std::size_t idle = 64;          // the same, to all peers together
  // Kept open for so long; shorter than what a server allows, so that it seldom closes first.
  base::Duration idle_time = std::chrono::seconds(30);
  // For connecting, and never more than half of what is left until the deadline. It is what a peer
  // that is cut off costs each look at it, and so a part of how long a failover takes; a first
  // packet that is lost is sent again after one second.
  base::Duration connect_time = std::chrono::seconds(2);
};

// Each call has a connection of its own while it lasts, so callers do not wait for each other. A
// connection is used for one peer identity and one version of our credentials only. Proxies,
// redirects, cookies and environment variables have no part in it. A call that is not a GET or HEAD
// is never sent twice.
//
// Thread-safe. Initialises libcurl for the process at the first construction, with an allocator
// that wipes what it frees, unless the program has done that before (then libcurl's own copies of
// bodies are not wiped). `credentials` and `clock` must outlive it.
class CurlTransport : public Transport {
 public:
  CurlTransport(CredentialSource& credentials, const base::Clock& clock, CurlLimits limits = {});
  ~CurlTransport() override;

  base::Result<Answer> Call(const Peer& peer, Request request) override;

  // Calls under way end within about a second, and later ones at once, as if the peer were gone:
  // for a process that ends.
  void Stop() { stopped_ = true; }

 private:
  class Connections;
  CredentialSource& credentials_;
  const base::Clock& clock_;
  const CurlLimits limits_;
  std::unique_ptr<Connections> idle_;
  std::atomic<bool> stopped_{false};
};

}  // namespace hsmops::net
