// Server: a manager as a process: its part in the election, the relay of grants, the controller's
// turns while it leads, and the live API, for every device of a namespace.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/kube/rest_client.h"
#include "libhsmops/net/credentials.h"
#include "libhsmops/net/status_server.h"

namespace hsmops::manager {

struct ServerConfig {
  std::string ns;
  std::string listen;         // "127.0.0.1:0" takes a free port
  std::string url;            // where clients reach it; empty: https:// and what it listens on
  std::string status_listen;  // health pages and metrics over plain HTTP; empty: not there
  net::CredentialFiles credentials;
  // Of Kubernetes alone: the way to the API server (it must outlive the manager), and where the
  // live API behind its aggregation layer listens; empty: not there.
  kube::RestClient* kubernetes = nullptr;
  std::string api_listen;
  bool enrols = false;  // blank tokens of a device that is new; in a cluster folder init does it
};

using ServerLog = std::function<void(const std::string& level, const std::string& sentence)>;

// Serves until `stop` says so, asked several times a second; then gives up the lease and returns.
// `ready` is told the addresses once it listens. `log` gets one sentence for each turn that is not
// like the one before, and is called by several threads. Errors: kInvalid, the certificate is no
// manager's; and those of what it opens.
base::Result<void> RunManager(cluster::ResourceStore& resources, const ServerConfig& config,
                              const std::atomic<bool>& stop,
                              const std::function<void(const net::Listening&)>& ready,
                              const ServerLog& log);

}  // namespace hsmops::manager
