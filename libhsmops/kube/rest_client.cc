#include "libhsmops/kube/rest_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

namespace {

// As many as ask at once (base::ThreadExecutor): one that is not kept costs the next request a TLS
// handshake.
constexpr std::size_t kMaxIdle = 32;
std::string AsFlags(const User& user) {
  if (user.as.empty()) return {};
  std::string flags = " --as " + base::Printable(user.as);
  for (const std::string& group : user.as_groups) flags += " --as-group " + base::Printable(group);
  return flags;
}

constexpr std::size_t kMaxLineBytes = std::size_t{4} << 20;

}  // namespace

RestClient::RestClient(ClientConfig config, SecretBytes ca, Environment environment, bool terminal,
                       base::Clock& clock, Trace trace)
    : config_(std::move(config)),
      ca_(std::move(ca)),
      clock_(clock),
      trace_(std::move(trace)),
      auth_(config_, std::move(environment), terminal, clock) {
  net::InitialiseCurl();
}

Result<std::unique_ptr<RestClient>> RestClient::Open(ClientConfig config, Environment environment,
                                                     bool terminal, base::Clock& clock,
                                                     Trace trace) {
  SecretBytes ca;
  if (!config.cluster.certificate_authority.empty()) {
    auto read = config.cluster.certificate_authority.Read("certificate-authority");
    if (!read.ok()) return Error(ErrorCode::kInvalid, read.error().message());
    ca = *std::move(read);
  }
  return std::unique_ptr<RestClient>(new RestClient(
      std::move(config), std::move(ca), std::move(environment), terminal, clock, std::move(trace)));
}

std::unique_ptr<RestConnection> RestClient::TakeConnection(const std::shared_ptr<const Proof>& as) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(idle_, [&](const auto& connection) { return connection->as() != as; });
    if (!idle_.empty()) {
      std::unique_ptr<RestConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return std::make_unique<RestConnection>(config_, ca_, as);
}

void RestClient::GiveConnection(std::unique_ptr<RestConnection> connection) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

Result<RestAnswer> RestClient::Once(const RestRequest& request,
                                    const std::shared_ptr<const Proof>& as) {
  const base::TimePoint began = clock_.Now();
  if (began >= request.deadline)
    return Error(ErrorCode::kUnavailable, config_.server + ": no time is left to ask it");
  std::unique_ptr<RestConnection> connection = TakeConnection(as);
  RestExchange exchange(request);
  HSM_RETURN_IF_ERROR(connection->Prepare(request, exchange));
  const base::Duration left = request.deadline - began;
  HSM_RETURN_IF_ERROR(net::CurlOptions(connection->curl())
                          .Set(CURLOPT_TIMEOUT_MS, net::CurlMilliseconds(left))
                          .Set(CURLOPT_CONNECTTIMEOUT_MS,
                               net::CurlMilliseconds(std::min<base::Duration>(left, kConnectTime)))
                          .Finish());
  const CURLcode code = curl_easy_perform(connection->curl());
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - began).count();
  if (code != CURLE_OK || exchange.status < 200) {
    const std::string text = connection->ErrorText(code == CURLE_OK ? CURLE_GOT_NOTHING : code);
    if (trace_)
      trace_(fmt::format("{} {}{}: {} in {} ms", request.method, config_.server, request.path, text,
                         took));
    return exchange.Explain(config_.server, text);
  }
  if (trace_)
    trace_(fmt::format("{} {}{} {} in {} ms", request.method, config_.server, request.path,
                       exchange.status, took));
  GiveConnection(std::move(connection));
  return RestAnswer{exchange.status,           std::move(exchange.wire.received),
                    exchange.wire.retry_after, std::move(exchange.warnings),
                    AsFlags(config_.user),     config_.for_others};
}

Result<RestAnswer> RestClient::Call(RestRequest request) {
  HSM_TRY(auto proof, auth_.Current(request.deadline));
  HSM_TRY(RestAnswer answer, Once(request, proof));
  if (answer.status != 401 || !auth_.Refused(proof)) return answer;
  HSM_TRY(proof, auth_.Current(request.deadline));
  return Once(request, proof);
}

Result<std::unique_ptr<RestStream>> RestClient::Stream(const std::string& path,
                                                       base::TimePoint deadline,
                                                       const std::string& accept) {
  for (int tries = 0;; ++tries) {
    HSM_TRY(const auto proof, auth_.Current(deadline));
    RestRequest request;
    request.path = path;
    request.accept = accept;
    request.deadline = deadline;
    request.max_answer_bytes = kMaxLineBytes;
    auto stream =
        std::make_unique<RestStream>(std::make_unique<RestConnection>(config_, ca_, proof),
                                     std::move(request), clock_, config_.server);
    HSM_RETURN_IF_ERROR(stream->Begin());
    if (trace_)
      trace_(fmt::format("GET {}{} {}, a stream", config_.server, path, stream->status()));
    if (stream->status() == 401 && tries == 0 && auth_.Refused(proof)) continue;
    return stream;
  }
}

}  // namespace hsmops::kube
