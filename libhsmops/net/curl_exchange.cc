#include "libhsmops/net/curl_exchange.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace hsmops::net {
namespace {

// On a kept connection that turns out to be closed libcurl sends the request again by itself; for
// anything but a GET that might do twice what was asked once.
int BeforeRequest(void* argument, char*, char*, int, int) {
  auto& exchange = *static_cast<CurlExchange*>(argument);
  if (exchange.beginnings > 0 && !exchange.repeatable) return CURL_PREREQFUNC_ABORT;
  ++exchange.beginnings;
  exchange.sent = 0;
  return CURL_PREREQFUNC_OK;
}

// Asked at every event and once a second at the least.
int GoOn(void* argument, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const std::atomic<bool>* const stopped = static_cast<CurlExchange*>(argument)->stopped;
  return stopped != nullptr && *stopped ? 1 : 0;
}

std::size_t ReadBody(char* out, std::size_t size, std::size_t count, void* argument) {
  auto& exchange = *static_cast<CurlExchange*>(argument);
  const std::size_t n = std::min(size * count, exchange.to_send.size() - exchange.sent);
  if (n > 0) std::memcpy(out, exchange.to_send.data() + exchange.sent, n);
  exchange.sent += n;
  return n;
}

// For a GET with a body there is no such thing here; for others see BeforeRequest.
int SeekBody(void*, curl_off_t, int) { return CURL_SEEKFUNC_FAIL; }

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* argument) {
  auto& exchange = *static_cast<CurlExchange*>(argument);
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
  auto& exchange = *static_cast<CurlExchange*>(argument);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxAnswerHeaderBytes) {
    exchange.too_large = true;
    return 0;
  }
  if (auto wait = RetryAfter(line)) exchange.retry_after = wait;
  if (exchange.on_header) exchange.on_header(line);
  return line.size();
}

}  // namespace

void SetExchange(CurlOptions& options, CurlExchange& exchange) {
  options.Set(CURLOPT_PREREQFUNCTION, BeforeRequest)
      .Set(CURLOPT_PREREQDATA, &exchange)
      .Set(CURLOPT_NOPROGRESS, 0L)
      .Set(CURLOPT_XFERINFOFUNCTION, GoOn)
      .Set(CURLOPT_XFERINFODATA, &exchange)
      .Set(CURLOPT_HEADERFUNCTION, TakeHeader)
      .Set(CURLOPT_HEADERDATA, &exchange)
      .Set(CURLOPT_WRITEFUNCTION, TakeBody)
      .Set(CURLOPT_WRITEDATA, &exchange)
      .Set(CURLOPT_READFUNCTION, ReadBody)
      .Set(CURLOPT_READDATA, &exchange)
      .Set(CURLOPT_SEEKFUNCTION, SeekBody);
}

long CurlMilliseconds(base::Duration duration) {
  const auto bounded = std::min<base::Duration>(duration, std::chrono::hours(24));
  return std::max(1L,
                  static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(bounded).count()));
}

}  // namespace hsmops::net
