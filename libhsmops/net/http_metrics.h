// HttpMetrics: how long requests took, by route and status (http_request_duration_seconds), and
// what was turned away.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/net/http_message.h"
#include "libhsmops/net/refusals.h"

namespace prometheus {
class Registry;
struct MetricFamily;
}  // namespace prometheus

namespace hsmops::net {

// Thread-safe. `registry` must outlive it.
class HttpMetrics {
 public:
  explicit HttpMetrics(prometheus::Registry& registry);
  ~HttpMetrics();

  void Answered(const std::string& route, int status, base::Duration time);
  // The counts of a server as they are now, for the series of the next answer.
  void Follow(const Refusals& refusals);
  // When our own certificate ends.
  void Follow(base::WallTime certificate_not_after);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

// In the text format of Prometheus (version 0.0.4).
Reply MetricsReply(const std::vector<prometheus::MetricFamily>& families);

}  // namespace hsmops::net
