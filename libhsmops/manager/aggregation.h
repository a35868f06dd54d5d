// Aggregation: the listener of the live API behind the API server's aggregation layer, and what it
// has to know of that to believe it, read again as long as it runs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libhsmops/kube/request_header.h"
#include "libhsmops/manager/aggregated_api.h"
#include "libhsmops/net/http_server.h"

namespace hsmops::manager {

// Until it is known whom to believe it is asked every five seconds, then this often.
inline constexpr std::chrono::seconds kHeaderLook{60};

class Aggregation {
 public:
  // `level`: "info" or "warning".
  using Log = std::function<void(const std::string& level, const std::string& sentence)>;

  // All must outlive it. `ns`: of the devices. It listens when this returns; nobody is let in until
  // Look has found out whom to believe.
  static base::Result<std::unique_ptr<Aggregation>> Start(const std::string& listen, std::string ns,
                                                          World& world, Fronts& fronts,
                                                          kube::RestClient& api,
                                                          net::CredentialSource& credentials,
                                                          net::Answered answered, Log log);

  const std::string& address() const { return server_->address(); }
  // To be called about every second, by one thread.
  void Look();
  void Stop(base::TimePoint deadline) { server_->Stop(deadline); }

 private:
  struct Believed {
    kube::RequestHeader header;
    std::shared_ptr<const net::FrontProxies> proxies;
  };
  Aggregation(std::string ns, World& world, Fronts& fronts, kube::RestClient& api, Log log);
  std::shared_ptr<const Believed> Now() const;

  kube::RestClient& client_;
  base::Clock& clock_;
  const Log log_;
  kube::AccessReview access_;
  AggregatedApi api_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Believed> believed_;
  std::optional<base::TimePoint> looked_;  // with success
  std::optional<base::TimePoint> tried_;
  std::string failed_;  // said last
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace hsmops::manager
