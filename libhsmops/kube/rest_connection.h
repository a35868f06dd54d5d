// RestConnection: a libcurl handle with what holds for every request of one proof to one API
// server: TLS, proxy, who we are and whom we stand for.
//
// Internal to kube/. Follows client-go in what a kubeconfig means: proxies (proxy-url, else the
// environment's), tls-server-name, impersonation headers, the system's authorities where none is
// named.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libhsmops/kube/user_auth.h"
#include "libhsmops/net/curl_exchange.h"

namespace hsmops::kube {

// Of connecting, where the deadline allows it.
inline constexpr std::chrono::seconds kConnectTime{10};

struct RestRequest {
  std::string method = "GET";
  std::string path;  // "/api/v1/namespaces/x/secrets?limit=500", percent-encoded
  std::string accept = "application/json";
  std::string content_type = "application/json";  // of the body, where there is one
  base::SecretBytes body;
  base::TimePoint deadline;  // for all of it
  std::size_t max_answer_bytes = std::size_t{64} << 20;
};

// One request and what arrives of its answer.
struct RestExchange {
  explicit RestExchange(const RestRequest& request);
  RestExchange(const RestExchange&) = delete;
  RestExchange& operator=(const RestExchange&) = delete;

  // Sure only where nothing was begun to be sent, and of a GET.
  base::Error Explain(const std::string& server, const std::string& what) const;

  net::CurlExchange wire;
  net::CurlHeaders headers;
  int status = 0;                     // 0: its head is not there yet
  std::vector<std::string> warnings;  // RFC 9111 Warning headers' texts: deprecations
};

class RestConnection {
 public:
  // `config` and `ca` (PEM; empty: the system's) must outlive it.
  RestConnection(const ClientConfig& config, const base::SecretBytes& ca,
                 std::shared_ptr<const Proof> as);
  ~RestConnection();
  RestConnection(const RestConnection&) = delete;
  RestConnection& operator=(const RestConnection&) = delete;

  // For the next transfer of the handle, which ends at its time-outs alone. `request` and
  // `exchange` must outlive it.
  base::Result<void> Prepare(const RestRequest& request, RestExchange& exchange);
  const std::shared_ptr<const Proof>& as() const { return as_; }
  CURL* curl() { return curl_; }
  std::string ErrorText(CURLcode code) const;

 private:
  void SetForAll(net::CurlOptions& options);
  void SetTls(net::CurlOptions& options);
  void SetServer(net::CurlOptions& options, const RestRequest& request, net::CurlHeaders& headers);
  void SetRequest(net::CurlOptions& options, const RestRequest& request, RestExchange& exchange);

  const ClientConfig& config_;
  const base::SecretBytes& ca_;
  const std::shared_ptr<const Proof> as_;
  CURL* curl_;
  std::string url_;
  net::CurlHeaders connect_to_;  // not of a request, but a list like it
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace hsmops::kube
