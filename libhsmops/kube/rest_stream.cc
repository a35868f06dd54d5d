#include "libhsmops/kube/rest_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/check.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

namespace {

constexpr std::chrono::milliseconds kStreamLook{200};

}  // namespace

RestStream::RestStream(std::unique_ptr<RestConnection> connection, RestRequest request,
                       base::Clock& clock, std::string server)
    : connection_(std::move(connection)),
      request_(std::move(request)),
      clock_(clock),
      server_(std::move(server)),
      multi_(curl_multi_init()),
      exchange_(request_) {
  HSM_CHECK(multi_ != nullptr);
}

RestStream::~RestStream() {
  if (added_) curl_multi_remove_handle(multi_, connection_->curl());
  curl_multi_cleanup(multi_);
}

Result<void> RestStream::Begin() {
  HSM_RETURN_IF_ERROR(connection_->Prepare(request_, exchange_));
  HSM_RETURN_IF_ERROR(net::CurlOptions(connection_->curl())
                          .Set(CURLOPT_CONNECTTIMEOUT_MS, net::CurlMilliseconds(kConnectTime))
                          .Finish());
  HSM_CHECK(curl_multi_add_handle(multi_, connection_->curl()) == CURLM_OK);
  added_ = true;
  while (exchange_.status < 200 && !ended_) {
    if (clock_.Now() >= request_.deadline || stopped_)
      return Error(ErrorCode::kUnavailable, server_ + ": it does not answer in time");
    Drive(request_.deadline);
  }
  // A refusal is read whole: it says why.
  while (exchange_.status >= 300 && !ended_ && clock_.Now() < request_.deadline && !stopped_)
    Drive(request_.deadline);
  if (exchange_.status < 200) return *ended_;
  return {};
}

Result<std::optional<SecretBytes>> RestStream::Next(base::TimePoint deadline) {
  for (;;) {
    if (auto line = TakeLine()) return std::optional(*std::move(line));
    if (ended_) return *ended_;
    if (stopped_ || clock_.Now() >= deadline) return std::optional<SecretBytes>();
    Drive(deadline);
  }
}

void RestStream::Stop() {
  stopped_ = true;
  (void)curl_multi_wakeup(multi_);
}

std::optional<SecretBytes> RestStream::TakeLine() {
  const base::ByteView all = exchange_.wire.received.view();
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(taken_);
  const auto end = std::find(begin, all.end(), '\n');
  const bool refusal = exchange_.status >= 300 && ended_ && begin != all.end();
  if (end == all.end() && !refusal) {
    // Half a line is kept, and what was taken goes.
    exchange_.wire.received = SecretBytes(all.subspan(taken_));
    taken_ = 0;
    return std::nullopt;
  }
  SecretBytes line(all.subspan(taken_, static_cast<std::size_t>(end - begin)));
  taken_ += line.size() + (end == all.end() ? 0 : 1);
  return line;
}

void RestStream::Drive(base::TimePoint deadline) {
  const base::Duration left = std::max<base::Duration>(deadline - clock_.Now(), base::Duration(0));
  (void)curl_multi_poll(
      multi_, nullptr, 0,
      static_cast<int>(net::CurlMilliseconds(std::min<base::Duration>(left, kStreamLook))),
      nullptr);
  int running = 0;
  (void)curl_multi_perform(multi_, &running);
  int left_messages = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left_messages)) {
    if (message->msg != CURLMSG_DONE) continue;
    ended_ = Error(ErrorCode::kUnavailable,
                   fmt::format("{}: {}", server_,
                               message->data.result == CURLE_OK
                                   ? "the stream has ended"
                                   : connection_->ErrorText(message->data.result)));
  }
}

}  // namespace hsmops::kube
