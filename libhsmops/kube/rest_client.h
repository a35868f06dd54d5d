// RestClient: requests to one API server, over HTTPS (or HTTP, for kubectl proxy).
//
// It knows of HTTP, TLS and who we are; what the bodies mean is for who asks. Connections are kept.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/kube/rest_connection.h"
#include "libhsmops/kube/rest_stream.h"
#include "libhsmops/kube/user_auth.h"

namespace hsmops::kube {

struct RestAnswer {
  int status = 0;  // any
  base::SecretBytes body;
  std::optional<base::Duration> retry_after;
  std::vector<std::string> warnings;  // RFC 9111 Warning headers' texts: deprecations
  std::string as;  // kubectl's flags for whom we act as: " --as bob --as-group ops"; empty: nobody
  bool for_others = false;  // as ClientConfig::for_others
};

class RestClient {
 public:
  // Told of each request when it is over, without bodies and secrets: "GET https://… 200 OK in 12
  // ms". May be empty.
  using Trace = std::function<void(const std::string& line)>;

  // `clock` must outlive it. kInvalid: a certificate authority that cannot be read.
  static base::Result<std::unique_ptr<RestClient>> Open(ClientConfig config,
                                                        Environment environment, bool terminal,
                                                        base::Clock& clock, Trace trace = {});
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  // kUnavailable: it surely did nothing (no connection, the server's certificate is not believed),
  // or it was a GET; kInDoubt: the answer was lost. kAuthFailed and others: who we are cannot be
  // said (UserAuth). Thread-safe.
  base::Result<RestAnswer> Call(RestRequest request);

  // A GET whose answer is read as it comes. Errors as Call's; later ones come from Next.
  base::Result<std::unique_ptr<RestStream>> Stream(const std::string& path,
                                                   base::TimePoint deadline,
                                                   const std::string& accept = "application/json");

  const ClientConfig& config() const { return config_; }

 private:
  RestClient(ClientConfig config, base::SecretBytes ca, Environment environment, bool terminal,
             base::Clock& clock, Trace trace);
  base::Result<RestAnswer> Once(const RestRequest& request, const std::shared_ptr<const Proof>& as);
  std::unique_ptr<RestConnection> TakeConnection(const std::shared_ptr<const Proof>& as);
  void GiveConnection(std::unique_ptr<RestConnection> connection);

  const ClientConfig config_;
  const base::SecretBytes ca_;
  base::Clock& clock_;
  const Trace trace_;
  UserAuth auth_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RestConnection>> idle_;
};

}  // namespace hsmops::kube
