#include "libhsmops/manager/aggregation.h"

namespace hsmops::manager {

using base::Result;

namespace {

constexpr std::chrono::seconds kLookPatience{2};
constexpr std::chrono::seconds kRetry{5};
// All of the cluster's clients come through a few connections of a few API servers.
constexpr std::size_t kConnectionsPerProxy = 512;
constexpr net::RateLimit kRequestsPerProxy{20'000, 20'000};

}  // namespace

Aggregation::Aggregation(std::string ns, World& world, Fronts& fronts, kube::RestClient& api,
                         Log log)
    : client_(api),
      clock_(world.clock),
      log_(std::move(log)),
      access_(api, world.clock),
      api_(world, fronts, access_, std::move(ns), [this] {
        const auto now = Now();
        return now ? std::shared_ptr<const kube::RequestHeader>(now, &now->header) : nullptr;
      }) {}

std::shared_ptr<const Aggregation::Believed> Aggregation::Now() const {
  const std::lock_guard lock(mutex_);
  return believed_;
}

Result<std::unique_ptr<Aggregation>> Aggregation::Start(const std::string& listen, std::string ns,
                                                        World& world, Fronts& fronts,
                                                        kube::RestClient& api,
                                                        net::CredentialSource& credentials,
                                                        net::Answered answered, Log log) {
  std::unique_ptr<Aggregation> made(
      new Aggregation(std::move(ns), world, fronts, api, std::move(log)));
  made->Look();
  net::ServerConfig config;
  config.listen = listen;
  config.lanes = AggregatedLanes();
  config.answered = std::move(answered);
  config.limits.admission.connections_per_identity = kConnectionsPerProxy;
  config.limits.admission.requests_per_identity = kRequestsPerProxy;
  config.proxies = [self = made.get()]() -> std::shared_ptr<const net::FrontProxies> {
    const auto now = self->Now();
    return now ? now->proxies : nullptr;
  };
  HSM_TRY(made->server_,
          net::HttpServer::Start(
              std::move(config), credentials, world.clock,
              [self = made.get()](const net::Received& head) { return self->api_.Find(head); },
              [self = made.get()](const std::string& line) {
                self->log_("warning", "live API: " + line);
              }));
  return made;
}

// What was believed stays so while it cannot be read again.
void Aggregation::Look() {
  const base::TimePoint now = clock_.Now();
  if (looked_ && now - *looked_ < kHeaderLook) return;
  if (tried_ && now - *tried_ < kRetry) return;
  tried_ = now;
  auto header = kube::ReadRequestHeader(client_, now + kLookPatience);
  std::shared_ptr<const net::FrontProxies> proxies;
  std::string failed;
  if (header.ok()) {
    const auto known = Now();
    if (known && known->header == *header) {
      looked_ = now;
      return;
    }
    auto made = net::FrontProxies::Make(header->client_ca, header->allowed_names);
    if (made.ok())
      proxies = *std::move(made);
    else
      failed = made.error().message();
  } else {
    failed = header.error().message();
  }
  if (!proxies) {
    if (failed != failed_)
      log_("warning", "live API: whom to believe cannot be found out: " + failed);
    failed_ = failed;
    return;
  }
  looked_ = now;
  failed_.clear();
  const std::lock_guard lock(mutex_);
  believed_ = std::make_shared<const Believed>(Believed{*std::move(header), std::move(proxies)});
}

}  // namespace hsmops::manager
