// Server: the agent of one node as a process: its token, its ledger, and HTTPS for those of its
// pool.
//
// Holds the token's PIN and no credential of Kubernetes, nor any code that speaks to it. Who it is,
// its certificate says: spiffe://POOL/member/NODE.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"
#include "libhsmops/net/credentials.h"
#include "libhsmops/net/status_server.h"
#include "libhsmops/store/secret.h"

namespace hsmops::agent {

struct ServerConfig {
  std::string token;          // its pkcs11: URI
  std::string state_folder;   // ledger and PIN latch; made 0700 if it is not there
  std::string listen;         // "10.0.0.11:9443"; port 0: a free one
  std::string status_listen;  // health pages and metrics over plain HTTP; empty: not there
  net::CredentialFiles credentials;
  base::Duration lock_wait = std::chrono::seconds(10);
  base::Duration call_limit = std::chrono::seconds(15);  // of one PKCS#11 call
};

// A pool that agents serve is known by its trust domain: what both ends have before they first
// meet.
store::Uid PoolUidOf(const std::string& trust_domain);

// `level`: "info" or "warning". Called from several threads.
using ServerLog = std::function<void(const std::string& level, const std::string& sentence)>;

// Serves until `stop` says so, asked several times a second; then it takes no new write, finishes
// those in flight, closes the gate and returns. `ready` is told the addresses once it listens. A
// call to the token that hangs ends the process with 75. Errors: kInvalid, the certificate is no
// member's; and those of what it opens.
base::Result<void> RunAgent(const ServerConfig& config, const std::atomic<bool>& stop,
                            const std::function<void(const net::Listening&)>& ready,
                            const ServerLog& log);

}  // namespace hsmops::agent
