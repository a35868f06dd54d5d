#include "libhsmops/kube/rest_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "libhsmops/base/printable.h"
#include "libhsmops/net/curl.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using net::CurlOptions;

namespace {

constexpr std::size_t kMaxIdle = 16;
constexpr std::chrono::seconds kConnectTime{10};
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxLineBytes = std::size_t{4} << 20;
constexpr std::chrono::milliseconds kStreamLook{200};
constexpr const char* kUserAgent = "kubectl-hsm";

class Headers {
 public:
  ~Headers() { curl_slist_free_all(list_); }
  Headers() = default;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;
  void Add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  void AddSecret(const char* name, const SecretBytes& value) {
    SecretBytes line = SecretBytes::FromText(std::string(name) + ": ");
    line.Append(value);
    line.Append(std::uint8_t{0});
    list_ = curl_slist_append(list_, reinterpret_cast<const char*>(line.data()));
  }
  curl_slist* get() { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// What arrives of one answer.
struct Arriving {
  base::ByteView to_send;
  std::size_t sent = 0;
  bool repeatable = false;
  int beginnings = 0;  // how often libcurl set out to send the request
  int status = 0;
  std::size_t header_bytes = 0;
  SecretBytes body;
  std::size_t limit = 0;
  bool too_large = false;
  std::optional<base::Duration> retry_after;
  std::vector<std::string> warnings;
};

// See net::CurlTransport: a request that might do twice what was asked once is sent once.
int BeforeRequest(void* argument, char*, char*, int, int) {
  auto& arriving = *static_cast<Arriving*>(argument);
  if (arriving.beginnings > 0 && !arriving.repeatable) return CURL_PREREQFUNC_ABORT;
  ++arriving.beginnings;
  arriving.sent = 0;
  return CURL_PREREQFUNC_OK;
}

std::size_t ReadBody(char* out, std::size_t size, std::size_t count, void* argument) {
  auto& arriving = *static_cast<Arriving*>(argument);
  const std::size_t n = std::min(size * count, arriving.to_send.size() - arriving.sent);
  if (n > 0) std::memcpy(out, arriving.to_send.data() + arriving.sent, n);
  arriving.sent += n;
  return n;
}

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* argument) {
  auto& arriving = *static_cast<Arriving*>(argument);
  const std::size_t n = size * count;
  if (n > arriving.limit - std::min(arriving.limit, arriving.body.size())) {
    arriving.too_large = true;
    return 0;
  }
  arriving.body.Append(base::AsBytes({data, n}));
  return n;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// 299 - "text"
std::string WarningText(const std::string& value) {
  const std::size_t from = value.find('"');
  const std::size_t to = value.rfind('"');
  return from < to && to != std::string::npos ? value.substr(from + 1, to - from - 1) : value;
}

std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* argument) {
  auto& arriving = *static_cast<Arriving*>(argument);
  std::string_view line(data, size * count);
  const std::size_t taken = line.size();
  arriving.header_bytes += taken;
  if (arriving.header_bytes > kMaxHeaderBytes) {
    arriving.too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos)
      std::from_chars(line.data() + space + 1, line.data() + line.size(), arriving.status);
    return taken;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return taken;
  const std::string name = Lower(line.substr(0, colon));
  std::string value(line.substr(colon + 1));
  value.erase(0, value.find_first_not_of(" \t"));
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.pop_back();
  int seconds = 0;
  if (name == "retry-after" &&
      std::from_chars(value.data(), value.data() + value.size(), seconds).ec == std::errc() &&
      seconds >= 0)
    arriving.retry_after = std::chrono::seconds(seconds);
  if (name == "warning") arriving.warnings.push_back(base::Printable(WarningText(value)));
  return taken;
}

long Milliseconds(base::Duration duration) {
  const auto bounded = std::min<base::Duration>(duration, std::chrono::hours(24));
  return std::max(1L,
                  static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count()));
}

// "host[:port]" of a URL, and the port that it goes to.
struct Authority {
  std::string text;
  std::string host;
  std::string port;
};

Authority AuthorityOf(const std::string& url) {
  Authority authority;
  const std::size_t from = url.find("://") + 3;
  authority.text = url.substr(from, url.find('/', from) - from);
  const std::size_t bracket = authority.text.rfind(']');
  const std::size_t colon = authority.text.find(':', bracket == std::string::npos ? 0 : bracket);
  authority.host = authority.text.substr(0, colon);
  authority.port = colon != std::string::npos    ? authority.text.substr(colon + 1)
                   : url.starts_with("https://") ? "443"
                                                 : "80";
  return authority;
}

// RFC 3986 unreserved characters stay; client-go writes extra keys like that.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const unsigned char c : text) {
    const bool plain = std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~';
    escaped += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return escaped;
}

void AddImpersonation(const User& user, Headers& headers) {
  if (user.as.empty()) return;
  headers.Add("Impersonate-User: " + user.as);
  if (!user.as_uid.empty()) headers.Add("Impersonate-Uid: " + user.as_uid);
  for (const std::string& group : user.as_groups) headers.Add("Impersonate-Group: " + group);
  for (const auto& [key, values] : user.as_user_extra) {
    for (const std::string& value : values)
      headers.Add(fmt::format("Impersonate-Extra-{}: {}", Escaped(Lower(key)), value));
  }
}

}  // namespace

// A libcurl handle with what holds for every request of one proof.
class RestClient::Handle {
 public:
  Handle(const ClientConfig& config, const SecretBytes& ca, std::shared_ptr<const Proof> as)
      : config_(config), ca_(ca), as_(std::move(as)), curl_(curl_easy_init()) {
    HSM_CHECK(curl_ != nullptr);
  }
  ~Handle() { curl_easy_cleanup(curl_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const std::shared_ptr<const Proof>& as() const { return as_; }
  CURL* curl() { return curl_; }
  std::string ErrorText(CURLcode code) const {
    return base::Printable(error_[0] != '\0' ? error_ : curl_easy_strerror(code));
  }

  Result<void> Prepare(const RestRequest& request, Arriving& arriving, Headers& headers) {
    curl_easy_reset(curl_);  // options only: the connection stays
    error_[0] = '\0';
    CurlOptions options(curl_);
    SetForAll(options);
    SetTls(options);
    SetServer(options, request, headers);
    SetRequest(options, request, arriving, headers);
    return options.Finish();
  }

 private:
  void SetForAll(CurlOptions& options) {
    options.Set(CURLOPT_ERRORBUFFER, error_)
        .Set(CURLOPT_NOSIGNAL, 1L)
        .Set(CURLOPT_QUICK_EXIT, 1L)
        .Set(CURLOPT_PROTOCOLS_STR, "https,http")
        .Set(CURLOPT_FOLLOWLOCATION, 0L)
        .Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1))
        .Set(CURLOPT_PATH_AS_IS, 1L)
        .Set(CURLOPT_MAXCONNECTS, 1L)
        .Set(CURLOPT_TCP_NODELAY, 1L)
        .Set(CURLOPT_TCP_KEEPALIVE, 1L)
        .Set(CURLOPT_USERAGENT, kUserAgent);
    if (!config_.cluster.proxy_url.empty())
      options.Set(CURLOPT_PROXY, config_.cluster.proxy_url.c_str());
  }

  void SetTls(CurlOptions& options) {
    const long verify = config_.cluster.insecure_skip_tls_verify ? 0L : 1L;
    options.Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
        .Set(CURLOPT_SSL_VERIFYPEER, verify)
        .Set(CURLOPT_SSL_VERIFYHOST, verify * 2);
    if (!ca_.empty()) SetBlob(options, CURLOPT_CAINFO_BLOB, ca_);
    if (as_->certificate.empty()) return;
    options.Set(CURLOPT_SSLCERTTYPE, "PEM").Set(CURLOPT_SSLKEYTYPE, "PEM");
    SetBlob(options, CURLOPT_SSLCERT_BLOB, as_->certificate);
    SetBlob(options, CURLOPT_SSLKEY_BLOB, as_->key);
  }

  static void SetBlob(CurlOptions& options, CURLoption option, const SecretBytes& bytes) {
    curl_blob blob{const_cast<std::uint8_t*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
    options.Set(option, &blob);
  }

  // With a tls-server-name the URL has that name, which libcurl then verifies and says in SNI, and
  // the connection goes where the server is.
  void SetServer(CurlOptions& options, const RestRequest& request, Headers& headers) {
    url_ = config_.server + request.path;
    const std::string& name = config_.cluster.tls_server_name;
    if (!name.empty()) {
      const Authority real = AuthorityOf(config_.server);
      const std::string scheme = config_.server.substr(0, config_.server.find("://") + 3);
      const std::string rest = config_.server.substr(scheme.size() + real.text.size());
      url_ = fmt::format("{}{}:{}{}{}", scheme, name, real.port, rest, request.path);
      connect_to_.Add(fmt::format("{}:{}:{}:{}", name, real.port, real.host, real.port));
      options.Set(CURLOPT_CONNECT_TO, connect_to_.get());
      headers.Add("Host: " + real.text);
    }
    options.Set(CURLOPT_URL, url_.c_str());
  }

  void SetRequest(CurlOptions& options, const RestRequest& request, Arriving& arriving,
                  Headers& headers) {
    headers.Add("Accept: application/json");
    headers.Add("Expect:");
    if (!as_->authorization.empty()) headers.AddSecret("Authorization", as_->authorization);
    AddImpersonation(config_.user, headers);
    options.Set(CURLOPT_PREREQFUNCTION, BeforeRequest)
        .Set(CURLOPT_PREREQDATA, &arriving)
        .Set(CURLOPT_HEADERFUNCTION, TakeHeader)
        .Set(CURLOPT_HEADERDATA, &arriving)
        .Set(CURLOPT_WRITEFUNCTION, TakeBody)
        .Set(CURLOPT_WRITEDATA, &arriving);
    if (request.method == "GET") {
      options.Set(CURLOPT_HTTPGET, 1L);
    } else {
      headers.Add("Content-Type: " + request.content_type);
      options.Set(CURLOPT_POST, 1L)
          .Set(CURLOPT_CUSTOMREQUEST, request.method.c_str())
          .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()))
          .Set(CURLOPT_READFUNCTION, ReadBody)
          .Set(CURLOPT_READDATA, &arriving);
    }
    options.Set(CURLOPT_HTTPHEADER, headers.get());
  }

  const ClientConfig& config_;
  const SecretBytes& ca_;
  const std::shared_ptr<const Proof> as_;
  CURL* curl_;
  std::string url_;
  Headers connect_to_;
  char error_[CURL_ERROR_SIZE] = {};
};

namespace {

// Sure only where nothing was begun to be sent.
Error Explain(CURLcode code, const std::string& text, const Arriving& arriving,
              const std::string& server) {
  if (arriving.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    return {ErrorCode::kLimit,
            fmt::format("{}: the answer is larger than {} bytes", server, arriving.limit)};
  }
  const std::string message = fmt::format("{}: {}", server, text);
  if (arriving.beginnings == 0 || arriving.repeatable) return {ErrorCode::kUnavailable, message};
  return {ErrorCode::kInDoubt, fmt::format("{}: the answer was lost: {}", server, text)};
}

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

RestClient::~RestClient() = default;

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

std::unique_ptr<RestClient::Handle> RestClient::TakeHandle(const std::shared_ptr<const Proof>& as) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(idle_, [&](const auto& handle) { return handle->as() != as; });
    if (!idle_.empty()) {
      std::unique_ptr<Handle> handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  return std::make_unique<Handle>(config_, ca_, as);
}

void RestClient::GiveHandle(std::unique_ptr<Handle> handle) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(handle));
}

Result<RestAnswer> RestClient::Once(const RestRequest& request,
                                    const std::shared_ptr<const Proof>& as) {
  const base::TimePoint began = clock_.Now();
  if (began >= request.deadline)
    return Error(ErrorCode::kUnavailable, config_.server + ": no time is left to ask it");
  std::unique_ptr<Handle> handle = TakeHandle(as);
  Arriving arriving;
  arriving.to_send = request.body.view();
  arriving.repeatable = request.method == "GET";
  arriving.limit = request.max_answer_bytes;
  Headers headers;
  HSM_RETURN_IF_ERROR(handle->Prepare(request, arriving, headers));
  const base::Duration left = request.deadline - began;
  HSM_RETURN_IF_ERROR(CurlOptions(handle->curl())
                          .Set(CURLOPT_TIMEOUT_MS, Milliseconds(left))
                          .Set(CURLOPT_CONNECTTIMEOUT_MS,
                               Milliseconds(std::min<base::Duration>(left, kConnectTime)))
                          .Finish());
  const CURLcode code = curl_easy_perform(handle->curl());
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - began).count();
  if (code != CURLE_OK || arriving.status < 200) {
    const std::string text = handle->ErrorText(code == CURLE_OK ? CURLE_GOT_NOTHING : code);
    if (trace_)
      trace_(fmt::format("{} {}{}: {} in {} ms", request.method, config_.server, request.path, text,
                         took));
    return Explain(code, text, arriving, config_.server);
  }
  if (trace_)
    trace_(fmt::format("{} {}{} {} in {} ms", request.method, config_.server, request.path,
                       arriving.status, took));
  GiveHandle(std::move(handle));
  return RestAnswer{arriving.status, std::move(arriving.body), arriving.retry_after,
                    std::move(arriving.warnings)};
}

Result<RestAnswer> RestClient::Call(RestRequest request) {
  HSM_TRY(auto proof, auth_.Current(request.deadline));
  HSM_TRY(RestAnswer answer, Once(request, proof));
  if (answer.status != 401 || !auth_.Refused(proof)) return answer;
  HSM_TRY(proof, auth_.Current(request.deadline));
  return Once(request, proof);
}

// One transfer of a multi handle, driven by whoever asks for the next line.
class RestClient::Lines : public RestStream {
 public:
  Lines(std::unique_ptr<Handle> handle, base::Clock& clock, std::string server)
      : handle_(std::move(handle)),
        clock_(clock),
        server_(std::move(server)),
        multi_(curl_multi_init()) {
    HSM_CHECK(multi_ != nullptr);
    arriving_.repeatable = true;
    arriving_.limit = kMaxLineBytes;
  }
  ~Lines() override {
    if (added_) curl_multi_remove_handle(multi_, handle_->curl());
    curl_multi_cleanup(multi_);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  // Until the head of the answer is there.
  Result<void> Begin(const RestRequest& request) {
    HSM_RETURN_IF_ERROR(handle_->Prepare(request, arriving_, headers_));
    HSM_RETURN_IF_ERROR(CurlOptions(handle_->curl())
                            .Set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(kConnectTime))
                            .Finish());
    HSM_CHECK(curl_multi_add_handle(multi_, handle_->curl()) == CURLM_OK);
    added_ = true;
    while (arriving_.status < 200 && !ended_) {
      if (clock_.Now() >= request.deadline || stopped_)
        return Error(ErrorCode::kUnavailable, server_ + ": it does not answer in time");
      Drive(request.deadline);
    }
    // A refusal is read whole: it says why.
    while (arriving_.status >= 300 && !ended_ && clock_.Now() < request.deadline && !stopped_)
      Drive(request.deadline);
    if (arriving_.status < 200) return *ended_;
    return {};
  }

  int status() const override { return arriving_.status; }

  Result<std::optional<SecretBytes>> Next(base::TimePoint deadline) override {
    for (;;) {
      if (auto line = TakeLine()) return std::optional(*std::move(line));
      if (ended_) return *ended_;
      if (stopped_ || clock_.Now() >= deadline) return std::optional<SecretBytes>();
      Drive(deadline);
    }
  }

  void Stop() override {
    stopped_ = true;
    (void)curl_multi_wakeup(multi_);
  }

 private:
  std::optional<SecretBytes> TakeLine() {
    const base::ByteView all = arriving_.body.view();
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(taken_);
    const auto end = std::find(begin, all.end(), '\n');
    const bool refusal = arriving_.status >= 300 && ended_ && begin != all.end();
    if (end == all.end() && !refusal) {
      // Half a line is kept, and what was taken goes.
      arriving_.body = SecretBytes(all.subspan(taken_));
      taken_ = 0;
      return std::nullopt;
    }
    SecretBytes line(all.subspan(taken_, static_cast<std::size_t>(end - begin)));
    taken_ += line.size() + (end == all.end() ? 0 : 1);
    return line;
  }

  void Drive(base::TimePoint deadline) {
    const base::Duration left =
        std::max<base::Duration>(deadline - clock_.Now(), base::Duration(0));
    (void)curl_multi_poll(
        multi_, nullptr, 0,
        static_cast<int>(Milliseconds(std::min<base::Duration>(left, kStreamLook))), nullptr);
    int running = 0;
    (void)curl_multi_perform(multi_, &running);
    int left_messages = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left_messages)) {
      if (message->msg != CURLMSG_DONE) continue;
      ended_ = Error(
          ErrorCode::kUnavailable,
          fmt::format("{}: {}", server_,
                      message->data.result == CURLE_OK ? "the stream has ended"
                                                       : handle_->ErrorText(message->data.result)));
    }
  }

  std::unique_ptr<Handle> handle_;
  base::Clock& clock_;
  const std::string server_;
  CURLM* multi_;
  Headers headers_;
  Arriving arriving_;
  std::size_t taken_ = 0;  // of the body, as lines
  bool added_ = false;
  std::optional<Error> ended_;
  std::atomic<bool> stopped_{false};
};

Result<std::unique_ptr<RestStream>> RestClient::Stream(const std::string& path,
                                                       base::TimePoint deadline) {
  RestRequest request;
  request.path = path;
  request.deadline = deadline;
  for (int tries = 0;; ++tries) {
    HSM_TRY(const auto proof, auth_.Current(deadline));
    auto lines = std::make_unique<Lines>(std::make_unique<Handle>(config_, ca_, proof), clock_,
                                         config_.server);
    HSM_RETURN_IF_ERROR(lines->Begin(request));
    if (trace_) trace_(fmt::format("GET {}{} {}, a stream", config_.server, path, lines->status()));
    if (lines->status() == 401 && tries == 0 && auth_.Refused(proof)) continue;
    return std::unique_ptr<RestStream>(std::move(lines));
  }
}

}  // namespace hsmops::kube
