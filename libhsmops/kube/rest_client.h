// RestClient: requests to one API server, over HTTPS (or HTTP, for kubectl proxy).
//
// It knows of HTTP, TLS and who we are; what the bodies mean is for ApiClient. Connections are
// kept. Follows client-go in what a kubeconfig means: proxies (proxy-url, else the environment's),
// tls-server-name, impersonation headers, the system's authorities where none is named.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/kube/user_auth.h"

namespace hsmops::kube {

struct RestRequest {
  std::string method = "GET";
  std::string path;  // "/api/v1/namespaces/x/secrets?limit=500", percent-encoded
  std::string content_type = "application/json";  // of the body, where there is one
  base::SecretBytes body;
  base::TimePoint deadline;  // for all of it
  std::size_t max_answer_bytes = std::size_t{64} << 20;
};

struct RestAnswer {
  int status = 0;  // any
  base::SecretBytes body;
  std::optional<base::Duration> retry_after;
  std::vector<std::string> warnings;  // RFC 9111 Warning headers' texts: deprecations
};

// A body that comes in lines and does not end by itself, as a watch's.
class RestStream {
 public:
  virtual ~RestStream() = default;
  // Of the answer's head; 0: not there yet.
  virtual int status() const = 0;
  // The next whole line without its end, waiting for it until `deadline`; nullopt: none until then,
  // or Stop. kUnavailable: the stream has ended or broken, and every later call says so.
  virtual base::Result<std::optional<base::SecretBytes>> Next(base::TimePoint deadline) = 0;
  // From any thread: Next returns at once, now and later.
  virtual void Stop() = 0;
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
  ~RestClient();
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  // kUnavailable: it surely did nothing (no connection, the server's certificate is not believed),
  // or it was a GET; kInDoubt: the answer was lost. kAuthFailed and others: who we are cannot be
  // said (UserAuth). Thread-safe.
  base::Result<RestAnswer> Call(RestRequest request);

  // A GET whose answer is read as it comes. Errors as Call's; later ones come from Next.
  base::Result<std::unique_ptr<RestStream>> Stream(const std::string& path,
                                                   base::TimePoint deadline);

  const ClientConfig& config() const { return config_; }

 private:
  class Handle;
  class Lines;
  RestClient(ClientConfig config, base::SecretBytes ca, Environment environment, bool terminal,
             base::Clock& clock, Trace trace);
  base::Result<RestAnswer> Once(const RestRequest& request, const std::shared_ptr<const Proof>& as);
  std::unique_ptr<Handle> TakeHandle(const std::shared_ptr<const Proof>& as);
  void GiveHandle(std::unique_ptr<Handle> handle);

  const ClientConfig config_;
  const base::SecretBytes ca_;
  base::Clock& clock_;
  const Trace trace_;
  UserAuth auth_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

}  // namespace hsmops::kube
