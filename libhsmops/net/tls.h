// Mutual TLS 1.3 (RFC 8446) between members of one pool: what both ends of a connection demand.
//
// The other end is known by the one URI in its certificate, never by its host name; it is checked
// within the handshake, so nothing is said to who fails. No tickets and no resumption: every
// connection proves itself anew, against the CAs of its own time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libhsmops/net/credentials.h"
#include "libhsmops/net/front_proxies.h"

struct ssl_ctx_st;
struct ssl_st;

namespace hsmops::net {

// What one handshake found out about the other end; the reason is fit for a terminal.
struct Verdict {
  std::string refused;     // why we refused it; empty: we did not
  std::string refused_us;  // the TLS alert by which it refused us; empty: it sent none
};

// Makes `context` that of a client who talks to `peer` alone. `verdict` and `credentials` must
// outlive every handshake made with it.
base::Result<void> ConfigureClient(ssl_ctx_st& context, const Credentials& credentials,
                                   const SpiffeId& peer, Verdict& verdict);

// Makes `context` that of a server which talks to any identity of its own pool. `credentials` must
// outlive it.
base::Result<void> ConfigureServer(ssl_ctx_st& context, const Credentials& credentials);

// Makes it that of a server which talks to these proxies and to nobody else. All must outlive it.
base::Result<void> ConfigureServer(ssl_ctx_st& context, const Credentials& credentials,
                                   const FrontProxies& proxies);

// Who is at the other end, after a handshake that the configuration above let pass, and until when
// its certificate says so.
struct Proven {
  Identity identity;
  base::WallTime not_after{};
};
// kAuthFailed: nobody proved anything.
base::Result<Proven> ProvenPeer(const ssl_st& connection);
// The same of a front proxy.
base::Result<Proven> ProvenProxy(const ssl_st& connection);

// Why a server's handshake refused the peer's certificate; empty: not for that.
std::string WhyRefused(const ssl_st& connection);

}  // namespace hsmops::net
