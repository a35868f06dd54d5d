#include "libhsmops/kube/rest_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "libhsmops/base/check.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using net::CurlHeaders;
using net::CurlOptions;

namespace {

constexpr const char* kUserAgent = "kubectl-hsm";

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// 299 - "text", several of them perhaps, with commas between (RFC 9110, 5.3; RFC 7234, 5.5).
std::vector<std::string> WarningTexts(std::string_view value) {
  std::vector<std::string> texts;
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '"') {
      quoted = !quoted;
      if (quoted) texts.emplace_back();
    } else if (quoted) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      texts.back() += value[i];
    }
  }
  if (texts.empty()) texts.emplace_back(value);
  for (std::string& text : texts) text = base::Printable(text);
  return texts;
}

void TakeHeader(RestExchange& exchange, std::string_view line) {
  constexpr std::string_view kWarning = "warning:";
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  const std::size_t space = line.find(' ');
  if (line.starts_with("HTTP/") && space != std::string_view::npos)
    std::from_chars(line.data() + space + 1, line.data() + line.size(), exchange.status);
  if (Lower(line.substr(0, kWarning.size())) == kWarning)
    std::ranges::move(WarningTexts(line.substr(kWarning.size())),
                      std::back_inserter(exchange.warnings));
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

void AddImpersonation(const User& user, CurlHeaders& headers) {
  if (user.as.empty()) return;
  headers.Add("Impersonate-User: " + user.as);
  if (!user.as_uid.empty()) headers.Add("Impersonate-Uid: " + user.as_uid);
  for (const std::string& group : user.as_groups) headers.Add("Impersonate-Group: " + group);
  for (const auto& [key, values] : user.as_user_extra) {
    for (const std::string& value : values)
      headers.Add(
          fmt::format("Impersonate-Extra-{}: {}", base::PercentEncoded(Lower(key), "-._~"), value));
  }
}

}  // namespace

RestExchange::RestExchange(const RestRequest& request) {
  wire.to_send = request.body.view();
  wire.repeatable = request.method == "GET";
  wire.limit = request.max_answer_bytes;
  wire.on_header = [this](std::string_view line) { TakeHeader(*this, line); };
}

Error RestExchange::Explain(const std::string& server, const std::string& what) const {
  if (wire.too_large)
    return {ErrorCode::kLimit,
            fmt::format("{}: the answer is larger than {} bytes", server, wire.limit)};
  if (wire.beginnings == 0 || wire.repeatable)
    return {ErrorCode::kUnavailable, fmt::format("{}: {}", server, what)};
  return {ErrorCode::kInDoubt, fmt::format("{}: the answer was lost: {}", server, what)};
}

RestConnection::RestConnection(const ClientConfig& config, const SecretBytes& ca,
                               std::shared_ptr<const Proof> as)
    : config_(config), ca_(ca), as_(std::move(as)), curl_(curl_easy_init()) {
  HSM_CHECK(curl_ != nullptr);
}
RestConnection::~RestConnection() { curl_easy_cleanup(curl_); }

std::string RestConnection::ErrorText(CURLcode code) const {
  return net::CurlErrorText(code, error_);
}

namespace {

void SetBlob(CurlOptions& options, CURLoption option, const SecretBytes& bytes) {
  curl_blob blob{const_cast<std::uint8_t*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
  options.Set(option, &blob);
}

}  // namespace

Result<void> RestConnection::Prepare(const RestRequest& request, RestExchange& exchange) {
  curl_easy_reset(curl_);  // options only: the connection stays
  error_[0] = '\0';
  CurlOptions options(curl_);
  SetForAll(options);
  SetTls(options);
  SetServer(options, request, exchange.headers);
  SetRequest(options, request, exchange);
  return options.Finish();
}

void RestConnection::SetForAll(CurlOptions& options) {
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
      .Set(CURLOPT_TCP_KEEPIDLE, 10L)
      .Set(CURLOPT_TCP_KEEPINTVL, 5L)
      .Set(CURLOPT_USERAGENT, kUserAgent);
  if (!config_.cluster.proxy_url.empty())
    options.Set(CURLOPT_PROXY, config_.cluster.proxy_url.c_str());
}

void RestConnection::SetTls(CurlOptions& options) {
  const long verify = config_.cluster.insecure_skip_tls_verify ? 0L : 1L;
  options.Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
      .Set(CURLOPT_SSL_VERIFYPEER, verify)
      .Set(CURLOPT_SSL_VERIFYHOST, verify * 2);
  if (!ca_.empty()) {
    SetBlob(options, CURLOPT_CAINFO_BLOB, ca_);
    // The blob takes the place of the machine's file of authorities, not of its folder.
    options.Set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  if (as_->certificate.empty()) return;
  options.Set(CURLOPT_SSLCERTTYPE, "PEM").Set(CURLOPT_SSLKEYTYPE, "PEM");
  SetBlob(options, CURLOPT_SSLCERT_BLOB, as_->certificate);
  SetBlob(options, CURLOPT_SSLKEY_BLOB, as_->key);
}

// With a tls-server-name the URL has that name, which libcurl then verifies and says in SNI, and
// the connection goes where the server is.
void RestConnection::SetServer(CurlOptions& options, const RestRequest& request,
                               CurlHeaders& headers) {
  url_ = config_.server + request.path;
  const std::string& name = config_.cluster.tls_server_name;
  if (!name.empty()) {
    const Authority real = AuthorityOf(config_.server);
    const std::string scheme = config_.server.substr(0, config_.server.find("://") + 3);
    const std::string rest = config_.server.substr(scheme.size() + real.text.size());
    url_ = fmt::format("{}{}:{}{}{}", scheme, name, real.port, rest, request.path);
    if (connect_to_.get() == nullptr)
      connect_to_.Add(fmt::format("{}:{}:{}:{}", name, real.port, real.host, real.port));
    options.Set(CURLOPT_CONNECT_TO, connect_to_.get());
    headers.Add("Host: " + real.text);
  }
  options.Set(CURLOPT_URL, url_.c_str());
}

void RestConnection::SetRequest(CurlOptions& options, const RestRequest& request,
                                RestExchange& exchange) {
  CurlHeaders& headers = exchange.headers;
  headers.Add("Accept: " + request.accept);
  headers.Add("Expect:");
  if (!as_->authorization.empty()) headers.AddSecret("Authorization", as_->authorization);
  AddImpersonation(config_.user, headers);
  net::SetExchange(options, exchange.wire);
  if (request.method == "GET") {
    options.Set(CURLOPT_HTTPGET, 1L);
  } else {
    headers.Add("Content-Type: " + request.content_type);
    options.Set(CURLOPT_POST, 1L)
        .Set(CURLOPT_CUSTOMREQUEST, request.method.c_str())
        .Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  options.Set(CURLOPT_HTTPHEADER, headers.get());
}

}  // namespace hsmops::kube
