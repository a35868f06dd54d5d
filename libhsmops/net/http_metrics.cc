#include "libhsmops/net/http_metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace hsmops::net {
namespace {

// From a grant's renewal to a batch that waits for a mirror which hangs.
const prometheus::Histogram::BucketBoundaries kRequestSeconds{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

}  // namespace

struct HttpMetrics::Series {
  prometheus::Family<prometheus::Histogram>& requests;
  prometheus::Family<prometheus::Counter>& refused;
  prometheus::Gauge& expiry;
};

HttpMetrics::HttpMetrics(prometheus::Registry& registry)
    : series_(new Series{
          prometheus::BuildHistogram()
              .Name("http_request_duration_seconds")
              .Help("From a request's header to its answer")
              .Register(registry),
          prometheus::BuildCounter()
              .Name("http_refusals_total")
              .Help("What the server turned away, by kind")
              .Register(registry),
          prometheus::BuildGauge()
              .Name("hsm_certificate_not_after_timestamp_seconds")
              .Help("When the certificate of this process ends")
              .Register(registry)
              .Add({}),
      }) {}

HttpMetrics::~HttpMetrics() = default;

void HttpMetrics::Answered(const std::string& route, int status, base::Duration time) {
  series_->requests
      .Add({{"route", route.empty() ? "none" : route}, {"code", fmt::format("{}", status)}},
           kRequestSeconds)
      .Observe(std::chrono::duration<double>(time).count());
}

void HttpMetrics::Follow(const Refusals& refusals) {
  for (std::size_t i = 0; i < kRefusals; ++i) {
    const auto kind = static_cast<Refusal>(i);
    prometheus::Counter& counter = series_->refused.Add({{"kind", std::string(Name(kind))}});
    const double more = static_cast<double>(refusals.count(kind)) - counter.Value();
    counter.Increment(std::max(0.0, more));
  }
}

void HttpMetrics::Follow(base::WallTime certificate_not_after) {
  series_->expiry.Set(
      std::chrono::duration<double>(certificate_not_after.time_since_epoch()).count());
}

Reply MetricsReply(const std::vector<prometheus::MetricFamily>& families) {
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  const std::string text = prometheus::TextSerializer().Serialize(families);
  reply.body.Append(base::AsBytes(text));
  return reply;
}

}  // namespace hsmops::net
