#include "libhsmops/net/curl_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "libhsmops/base/printable.h"
#include "libhsmops/net/curl_exchange.h"
#include "libhsmops/net/tls.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// A libcurl handle with at most one connection, to one peer, with one version of our credentials.
class Connection {
 public:
  Connection(std::shared_ptr<const Credentials> credentials, SpiffeId peer)
      : credentials_(std::move(credentials)), peer_(std::move(peer)), handle_(curl_easy_init()) {
    HSM_CHECK(handle_ != nullptr);
  }
  ~Connection() { curl_easy_cleanup(handle_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const Credentials* credentials() const { return credentials_.get(); }
  // After an error: not to be used again.
  Result<Answer> Perform(const Peer& peer, const Request& request, base::Duration left,
                         base::Duration connect_time, const std::atomic<bool>& stopped);

  base::TimePoint idle_since;

 private:
  Result<void> SetForAll();
  Result<void> SetForRequest(const std::string& url, const Request& request, CurlExchange& exchange,
                             CurlHeaders& headers);
  Error Explain(CURLcode code, const CurlExchange& exchange) const;
  static CURLcode ConfigureTls(CURL*, void* context, void* self);

  std::shared_ptr<const Credentials> credentials_;
  SpiffeId peer_;
  CURL* handle_;
  Verdict verdict_;
  char error_[CURL_ERROR_SIZE] = {};
};

CURLcode Connection::ConfigureTls(CURL*, void* context, void* self) {
  auto& connection = *static_cast<Connection*>(self);
  const auto done = ConfigureClient(*static_cast<ssl_ctx_st*>(context), *connection.credentials_,
                                    connection.peer_, connection.verdict_);
  if (done.ok()) return CURLE_OK;
  connection.verdict_.refused = done.error().message();
  return CURLE_SSL_CERTPROBLEM;
}

Result<void> Connection::SetForAll() {
  curl_easy_reset(handle_);  // options only: the connection stays
  return CurlOptions(handle_)
      .Set(CURLOPT_ERRORBUFFER, error_)
      .Set(CURLOPT_NOSIGNAL, 1L)
      // Else a call waits for the resolver's thread beyond its deadline; that thread ends by
      // itself.
      .Set(CURLOPT_QUICK_EXIT, 1L)
      .Set(CURLOPT_PROTOCOLS_STR, "https")
      .Set(CURLOPT_PROXY, "")
      .Set(CURLOPT_FOLLOWLOCATION, 0L)
      .Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1))
      .Set(CURLOPT_PATH_AS_IS, 1L)
      .Set(CURLOPT_MAXCONNECTS, 1L)
      .Set(CURLOPT_TCP_NODELAY, 1L)
      .Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3))
      .Set(CURLOPT_SSL_SESSIONID_CACHE, 0L)
      .Set(CURLOPT_SSL_ENABLE_ALPN, 0L)
      .Set(CURLOPT_SSL_VERIFYPEER, 1L)
      .Set(CURLOPT_SSL_VERIFYHOST, 0L)                   // by identity instead: see tls.h
      .Set(CURLOPT_CAINFO, static_cast<char*>(nullptr))  // ours come with the context
      .Set(CURLOPT_CAPATH, static_cast<char*>(nullptr))
      .Set(CURLOPT_SSL_CTX_FUNCTION, &Connection::ConfigureTls)
      .Set(CURLOPT_SSL_CTX_DATA, this)
      .Finish();
}

Result<void> Connection::SetForRequest(const std::string& url, const Request& request,
                                       CurlExchange& exchange, CurlHeaders& headers) {
  headers.Add(request.content_type.empty() ? "Content-Type:"
                                           : "Content-Type: " + request.content_type);
  for (const auto& [name, value] : request.headers)
    headers.Add(value.empty() ? name + ";" : name + ": " + value);
  CurlOptions options(handle_);
  SetExchange(options, exchange);
  options.Set(CURLOPT_URL, url.c_str())
      .Set(CURLOPT_HTTPHEADER, headers.get())
      .Set(CURLOPT_MAXFILESIZE_LARGE,
           static_cast<curl_off_t>(std::max<std::size_t>(request.max_answer_bytes, 1)));
  if (request.method == "GET") {
    options.Set(CURLOPT_HTTPGET, 1L);
  } else if (request.method == "HEAD") {
    options.Set(CURLOPT_NOBODY, 1L);
  } else {
    options.Set(CURLOPT_POST, 1L)
        .Set(CURLOPT_CUSTOMREQUEST, request.method.c_str())
        .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  return options.Finish();
}

// Sure only where nothing was begun to be sent, or where the server refused us in the handshake.
Error Connection::Explain(CURLcode code, const CurlExchange& exchange) const {
  const std::string detail = CurlErrorText(code, error_);
  if (exchange.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return {ErrorCode::kLimit, fmt::format("the answer is larger than {} bytes", exchange.limit)};
  }
  if (exchange.beginnings == 0) {
    if (!verdict_.refused.empty()) return {ErrorCode::kAuthFailed, verdict_.refused};
    return {ErrorCode::kUnavailable, detail};
  }
  const bool answered = exchange.header_bytes > 0;
  if (!verdict_.refused_us.empty() && exchange.beginnings == 1 && !answered) {
    return {ErrorCode::kAuthFailed,
            fmt::format("it refused our certificate, that of {}: TLS alert \"{}\"",
                        credentials_->identity().text(), verdict_.refused_us)};
  }
  if (exchange.repeatable) return {ErrorCode::kUnavailable, detail};
  return {ErrorCode::kInDoubt, fmt::format("the answer was lost: {}", detail)};
}

Result<Answer> Connection::Perform(const Peer& peer, const Request& request, base::Duration left,
                                   base::Duration connect_time, const std::atomic<bool>& stopped) {
  CurlExchange exchange;
  exchange.stopped = &stopped;
  exchange.to_send = request.body.view();
  exchange.limit = request.max_answer_bytes;
  exchange.repeatable = request.method == "GET" || request.method == "HEAD";
  verdict_ = {};
  error_[0] = '\0';
  CurlHeaders headers;
  auto set = SetForAll();
  if (set.ok()) set = SetForRequest(peer.url + request.path, request, exchange, headers);
  const long whole = CurlMilliseconds(left);
  const long connecting = CurlMilliseconds(std::min<base::Duration>(connect_time, left / 2));
  if (set.ok()) {
    set = CurlOptions(handle_)
              .Set(CURLOPT_TIMEOUT_MS, whole)
              .Set(CURLOPT_CONNECTTIMEOUT_MS, connecting)
              .Finish();
  }
  const CURLcode code = set.ok() ? curl_easy_perform(handle_) : CURLE_OK;
  HSM_RETURN_IF_ERROR(set);
  if (code != CURLE_OK) return Explain(code, exchange);

  long status = 0;
  const char* type = nullptr;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle_, CURLINFO_CONTENT_TYPE, &type);
  // What libcurl calls a success without a status line is no answer of HTTP/1.
  if (status < 200) return Explain(CURLE_GOT_NOTHING, exchange);
  return Answer{static_cast<int>(status), std::move(exchange.received), type == nullptr ? "" : type,
                exchange.retry_after};
}

}  // namespace

// Connections that nobody uses now, by peer, the one used last at the back.
class CurlTransport::Connections {
 public:
  explicit Connections(const CurlLimits& limits) : limits_(limits) {}

  // Null: there is none that may be used.
  std::unique_ptr<Connection> Take(const Peer& peer, const Credentials* credentials,
                                   base::TimePoint now) {
    std::vector<std::unique_ptr<Connection>> closing;  // after the mutex is free
    const std::lock_guard lock(mutex_);
    Expire(credentials, now, closing);
    const auto found = idle_.find(KeyOf(peer));
    if (found == idle_.end() || found->second.empty()) return nullptr;
    auto connection = std::move(found->second.back());
    found->second.pop_back();
    --count_;
    return connection;
  }

  void Give(const Peer& peer, std::unique_ptr<Connection> connection, base::TimePoint now) {
    std::vector<std::unique_ptr<Connection>> closing;
    const std::lock_guard lock(mutex_);
    Expire(connection->credentials(), now, closing);
    auto& of_peer = idle_[KeyOf(peer)];
    if (count_ >= limits_.idle || of_peer.size() >= limits_.idle_per_peer) {
      closing.push_back(std::move(connection));
      return;
    }
    connection->idle_since = now;
    of_peer.push_back(std::move(connection));
    ++count_;
  }

  // The others to a peer are as good as the one that brought no answer: each would be waited for
  // until its deadline.
  void Forget(const Peer& peer) {
    std::vector<std::unique_ptr<Connection>> closing;
    const std::lock_guard lock(mutex_);
    const auto found = idle_.find(KeyOf(peer));
    if (found == idle_.end()) return;
    closing = std::move(found->second);
    count_ -= closing.size();
    idle_.erase(found);
  }

 private:
  using Key = std::pair<std::string, std::string>;
  static Key KeyOf(const Peer& peer) { return {peer.url, peer.identity.text()}; }

  // Those that are too old or that other credentials made.
  void Expire(const Credentials* credentials, base::TimePoint now,
              std::vector<std::unique_ptr<Connection>>& closing) {
    for (auto peer = idle_.begin(); peer != idle_.end();) {
      auto& all = peer->second;
      const auto old = std::stable_partition(all.begin(), all.end(), [&](const auto& connection) {
        return connection->credentials() == credentials &&
               now - connection->idle_since < limits_.idle_time;
      });
      count_ -= static_cast<std::size_t>(all.end() - old);
      std::move(old, all.end(), std::back_inserter(closing));
      all.erase(old, all.end());
      peer = all.empty() ? idle_.erase(peer) : std::next(peer);
    }
  }

  const CurlLimits limits_;
  std::mutex mutex_;
  std::map<Key, std::vector<std::unique_ptr<Connection>>> idle_;
  std::size_t count_ = 0;
};

CurlTransport::CurlTransport(CredentialSource& credentials, const base::Clock& clock,
                             CurlLimits limits)
    : credentials_(credentials),
      clock_(clock),
      limits_(limits),
      idle_((InitialiseCurl(), std::make_unique<Connections>(limits))) {}

CurlTransport::~CurlTransport() = default;

Result<Answer> CurlTransport::Call(const Peer& peer, Request request) {
  HSM_RETURN_IF_ERROR(Check(peer, request));
  const std::string whom = fmt::format("{} ({})", peer.url, peer.identity.text());
  const auto credentials = credentials_.Current();
  const base::TimePoint now = clock_.Now();
  if (request.deadline <= now)
    return Error(ErrorCode::kUnavailable, whom + ": not asked: the deadline has passed");
  if (stopped_) return Error(ErrorCode::kUnavailable, whom + ": not asked: this process ends");
  auto connection = idle_->Take(peer, credentials.get(), now);
  if (connection == nullptr) connection = std::make_unique<Connection>(credentials, peer.identity);
  auto answer =
      connection->Perform(peer, request, request.deadline - now, limits_.connect_time, stopped_);
  if (!answer.ok()) {
    idle_->Forget(peer);
    return answer.error().Within(whom);
  }
  idle_->Give(peer, std::move(connection), clock_.Now());
  return answer;
}

}  // namespace hsmops::net
