// ApiServer: the Kubernetes API server that a command line and its kubeconfig name, and the way to
// it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/kube/rest_client.h"

namespace hsmops::cli {

// kubectl's own flags, as they were given.
struct KubectlWords {
  kube::Overrides overrides;    // without its token
  std::string token;            // wiped from the arguments at start
  std::string request_timeout;  // "": kube::kRequestTimeout; "0": as long as a command may take
  std::optional<base::Duration> at_most;  // of a request, where request_timeout says nothing
  bool for_others = false;                // as kube::ClientConfig::for_others
};

class ApiServer {
 public:
  // `trace` is told of each request. `clock` must outlive it. kUnavailable: no kubeconfig, flag or
  // pod says where a server is, or what says so cannot be used; kInvalid: --request-timeout.
  static base::Result<std::unique_ptr<ApiServer>> Open(KubectlWords words, bool terminal,
                                                       base::Clock& clock,
                                                       kube::RestClient::Trace trace);

  // Of the context; never empty.
  const std::string& ns() const { return client_->config().ns; }
  std::unique_ptr<cluster::ResourceStore> Resources();
  kube::RestClient& client() { return *client_; }
  base::Duration timeout() const { return timeout_; }  // of one request

 private:
  ApiServer(std::shared_ptr<kube::RestClient> client, base::Duration timeout, base::Clock& clock)
      : client_(std::move(client)), timeout_(timeout), clock_(clock) {}

  std::shared_ptr<kube::RestClient> client_;
  base::Duration timeout_;
  base::Clock& clock_;
};

}  // namespace hsmops::cli
