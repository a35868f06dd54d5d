// RestStream: a GET whose body comes in lines and does not end by itself, as a watch's.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "libhsmops/kube/rest_connection.h"

namespace hsmops::kube {

class RestStream {
 public:
  // Both `clock` and what the connection refers to must outlive it.
  RestStream(std::unique_ptr<RestConnection> connection, RestRequest request, base::Clock& clock,
             std::string server);
  ~RestStream();
  RestStream(const RestStream&) = delete;
  RestStream& operator=(const RestStream&) = delete;

  // Until the head of the answer is there, and of a refusal its body, which says why. kUnavailable:
  // not before the request's deadline.
  base::Result<void> Begin();
  // Of the answer's head.
  int status() const { return exchange_.status; }
  // The next whole line without its end, waiting for it until `deadline`; nullopt: none until then,
  // or Stop. kUnavailable: the stream has ended or broken, and every later call says so.
  base::Result<std::optional<base::SecretBytes>> Next(base::TimePoint deadline);
  // From any thread: Next returns at once, now and later.
  void Stop();

 private:
  std::optional<base::SecretBytes> TakeLine();
  void Drive(base::TimePoint deadline);
  // One transfer of a multi handle, driven by whoever asks for the next line.
  const std::unique_ptr<RestConnection> connection_;
  const RestRequest request_;
  base::Clock& clock_;
  const std::string server_;
  CURLM* multi_;
  RestExchange exchange_;
  std::size_t taken_ = 0;  // of the body, as lines
  bool added_ = false;
  std::optional<base::Error> ended_;
  std::atomic<bool> stopped_{false};
};

}  // namespace hsmops::kube
