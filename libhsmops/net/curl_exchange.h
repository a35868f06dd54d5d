// CurlExchange: one request and its answer on a libcurl handle: what is sent, what arrives, and how
// far it came, which says whether the request may have done something.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string_view>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/net/curl.h"

namespace hsmops::net {

// The answer's header: no more than so much of it is taken, and it is too large beyond.
inline constexpr std::size_t kMaxAnswerHeaderBytes = std::size_t{64} << 10;
// A longer Retry-After is taken for this.
inline constexpr std::chrono::hours kLongestRetryAfter{1};

struct CurlExchange {
  const std::atomic<bool>* stopped = nullptr;  // asked at every event; nullptr: nobody stops it
  base::ByteView to_send;
  std::size_t sent = 0;
  bool repeatable = false;
  int beginnings = 0;  // how often libcurl set out to send the request
  base::SecretBytes received;
  std::size_t header_bytes = 0;
  std::size_t limit = 0;  // of `received`
  bool too_large = false;
  std::optional<base::Duration> retry_after;        // RFC 9110 §10.2.3, in seconds
  std::function<void(std::string_view)> on_header;  // each line, its end included; may be empty
};

// The body by CURLOPT_POSTFIELDSIZE_LARGE and a GET are the caller's to say. On a kept connection
// that turns out to be closed libcurl sends a request again by itself: for one that is not
// repeatable, which might do twice what was asked once, that is prevented. `exchange` must outlive
// the transfer.
void SetExchange(CurlOptions& options, CurlExchange& exchange);

// At least one, which is what 0 would not be, and at most a day.
long CurlMilliseconds(base::Duration duration);

}  // namespace hsmops::net
