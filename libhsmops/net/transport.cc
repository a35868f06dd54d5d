#include "libhsmops/net/transport.h"

#include <curl/urlapi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/endpoint.h"

namespace hsmops::net {
namespace {

constexpr std::size_t kShownOfBody = 200;

using base::Error;
using base::ErrorCode;
using base::Result;

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

// A header that says how long the message is or where it ends is ours to write.
bool IsOurs(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* ours : {"content-length", "transfer-encoding", "connection", "host", "expect",
                           "content-type", "upgrade", "te", "trailer"}) {
    if (name == ours) return true;
  }
  return false;
}

Result<void> CheckRequest(const Request& request) {
  const auto refuse = [](std::string_view what, const std::string& text) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} \"{}\" is malformed", what, base::Printable(text)));
  };
  if (!IsToken(request.method)) return refuse("method", request.method);
  const auto fits = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (!request.path.starts_with('/') || !std::ranges::all_of(request.path, fits))
    return refuse("path", request.path);
  if (!IsFieldValue(request.content_type)) return refuse("content type", request.content_type);
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name) || !IsFieldValue(value) || IsOurs(name)) return refuse("header", name);
  }
  return {};
}

// As an endpoint of a device, and as libcurl will read it.
Result<void> CheckUrl(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (url.starts_with("https://") && cluster::CheckEndpoint(url).ok() &&
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK) {
    return {};
  }
  return Error(ErrorCode::kInvalid,
               fmt::format("\"{}\" is not of the form https://HOST:PORT", base::Printable(url)));
}

}  // namespace

std::string ShownBody(const Answer& answer) {
  const base::ByteView body = answer.body.view();
  const auto shown = static_cast<std::ptrdiff_t>(std::min(body.size(), kShownOfBody));
  std::string text(body.begin(), body.begin() + shown);
  text.erase(text.find_last_not_of("\r\n") + 1);  // a sentence is one line
  return base::Printable(text);
}

Result<void> Check(const Peer& peer, const Request& request) {
  HSM_RETURN_IF_ERROR(CheckUrl(peer.url));
  return CheckRequest(request).Within(peer.url);
}

}  // namespace hsmops::net
