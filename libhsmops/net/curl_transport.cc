#include "libhsmops/net/curl_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "libhsmops/base/printable.h"
#include "libhsmops/net/curl.h"
#include "libhsmops/net/tls.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// --- one exchange on one connection.

struct Exchange {
  const std::atomic<bool>* stopped = nullptr;
  base::ByteView to_send;
  std::size_t sent = 0;
  bool repeatable = false;
  int beginnings = 0;  // how often libcurl set out to send the request
  base::SecretBytes received;
  std::size_t header_bytes = 0;
  std::size_t limit = 0;
  bool too_large = false;
  std::optional<base::Duration> retry_after;
};

// On a kept connection that turns out to be closed libcurl sends the request again by itself; for
// anything but a GET that might do twice what was asked once.
int BeforeRequest(void* argument, char*, char*, int, int) {
  auto& exchange = *static_cast<Exchange*>(argument);
  if (exchange.beginnings > 0 && !exchange.repeatable) return CURL_PREREQFUNC_ABORT;
  ++exchange.beginnings;
  exchange.sent = 0;
  return CURL_PREREQFUNC_OK;
}

// Asked at every event and once a second at the least.
int GoOn(void* argument, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return *static_cast<Exchange*>(argument)->stopped ? 1 : 0;
}

std::size_t ReadBody(char* out, std::size_t size, std::size_t count, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  const std::size_t n = std::min(size * count, exchange.to_send.size() - exchange.sent);
  if (n > 0) std::memcpy(out, exchange.to_send.data() + exchange.sent, n);
  exchange.sent += n;
  return n;
}

// For a GET with a body there is no such thing here; for others see BeforeRequest.
int SeekBody(void*, curl_off_t, int) { return CURL_SEEKFUNC_FAIL; }

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  const std::size_t n = size * count;
  if (n > exchange.limit - exchange.received.size()) {
    exchange.too_large = true;
    return 0;
  }
  exchange.received.Append(base::AsBytes({data, n}));
  return n;
}

// RFC 9110 §10.2.3; the date form is not ours.
std::optional<base::Duration> RetryAfter(std::string_view line) {
  constexpr std::string_view kName = "retry-after:";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (line.size() <= kName.size() ||
      !std::ranges::equal(line.substr(0, kName.size()), kName, same)) {
    return std::nullopt;
  }
  line.remove_prefix(kName.size());
  while (line.starts_with(' ')) line.remove_prefix(1);
  std::chrono::seconds seconds{0};
  std::size_t digits = 0;
  for (; digits < line.size() && line[digits] >= '0' && line[digits] <= '9'; ++digits)
    seconds = std::min<std::chrono::seconds>(
        seconds * 10 + std::chrono::seconds(line[digits] - '0'), kLongestRetryAfter);
  if (digits == 0) return std::nullopt;
  return seconds;
}

std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* argument) {
  auto& exchange = *static_cast<Exchange*>(argument);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxAnswerHeaderBytes) {
    exchange.too_large = true;
    return 0;
  }
  if (auto wait = RetryAfter(line)) exchange.retry_after = wait;
  return line.size();
}

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
  Result<void> SetForRequest(const std::string& url, const Request& request, Exchange& exchange,
                             curl_slist*& headers);
  Error Explain(CURLcode code, const Exchange& exchange) const;
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
                                       Exchange& exchange, curl_slist*& headers) {
  const auto add = [&headers](const std::string& line) {
    headers = curl_slist_append(headers, line.c_str());
  };
  // A name with nothing after it takes out what libcurl would say by itself.
  add(request.content_type.empty() ? "Content-Type:" : "Content-Type: " + request.content_type);
  for (const auto& [name, value] : request.headers)
    add(value.empty() ? name + ";" : name + ": " + value);
  CurlOptions options(handle_);
  options.Set(CURLOPT_URL, url.c_str())
      .Set(CURLOPT_HTTPHEADER, headers)
      .Set(CURLOPT_PREREQFUNCTION, BeforeRequest)
      .Set(CURLOPT_PREREQDATA, &exchange)
      .Set(CURLOPT_NOPROGRESS, 0L)
      .Set(CURLOPT_XFERINFOFUNCTION, GoOn)
      .Set(CURLOPT_XFERINFODATA, &exchange)
      .Set(CURLOPT_HEADERFUNCTION, TakeHeader)
      .Set(CURLOPT_HEADERDATA, &exchange)
      .Set(CURLOPT_WRITEFUNCTION, TakeBody)
      .Set(CURLOPT_WRITEDATA, &exchange)
      .Set(CURLOPT_MAXFILESIZE_LARGE,
           static_cast<curl_off_t>(std::max<std::size_t>(request.max_answer_bytes, 1)));
  if (request.method == "GET") {
    options.Set(CURLOPT_HTTPGET, 1L);
  } else if (request.method == "HEAD") {
    options.Set(CURLOPT_NOBODY, 1L);
  } else {
    options.Set(CURLOPT_POST, 1L)
        .Set(CURLOPT_CUSTOMREQUEST, request.method.c_str())
        .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()))
        .Set(CURLOPT_READFUNCTION, ReadBody)
        .Set(CURLOPT_READDATA, &exchange)
        .Set(CURLOPT_SEEKFUNCTION, SeekBody);
  }
  return options.Finish();
}

// Sure only where nothing was begun to be sent, or where the server refused us in the handshake.
Error Connection::Explain(CURLcode code, const Exchange& exchange) const {
  const std::string detail = base::Printable(error_[0] != '\0' ? error_ : curl_easy_strerror(code));
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

long Milliseconds(base::Duration duration) {
  return std::max(1L,
                  static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(
                                        std::min<base::Duration>(duration, std::chrono::hours(24)))
                                        .count()));
}

Result<Answer> Connection::Perform(const Peer& peer, const Request& request, base::Duration left,
                                   base::Duration connect_time, const std::atomic<bool>& stopped) {
  Exchange exchange;
  exchange.stopped = &stopped;
  exchange.to_send = request.body.view();
  exchange.limit = request.max_answer_bytes;
  exchange.repeatable = request.method == "GET" || request.method == "HEAD";
  verdict_ = {};
  error_[0] = '\0';
  curl_slist* headers = nullptr;
  auto set = SetForAll();
  if (set.ok()) set = SetForRequest(peer.url + request.path, request, exchange, headers);
  const long whole = Milliseconds(left);
  const long connecting = Milliseconds(std::min<base::Duration>(connect_time, left / 2));
  if (set.ok()) {
    set = CurlOptions(handle_)
              .Set(CURLOPT_TIMEOUT_MS, whole)
              .Set(CURLOPT_CONNECTTIMEOUT_MS, connecting)
              .Finish();
  }
  const CURLcode code = set.ok() ? curl_easy_perform(handle_) : CURLE_OK;
  curl_slist_free_all(headers);
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
