#include "libhsmops/agent/vitals.h"

#include <fmt/format.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>

namespace hsmops::agent {

using net::HealthPart;
using net::HealthReport;

namespace {

// From a look-up in memory to a key operation on a card.
const prometheus::Histogram::BucketBoundaries kCallSeconds{
    0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15};

using GaugeFamily = prometheus::Family<prometheus::Gauge>;

GaugeFamily& Gauge(prometheus::Registry& registry, const std::string& name,
                   const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

}  // namespace

struct Vitals::Metrics {
  explicit Metrics(const std::string& node)
      : http(registry),
        calls(prometheus::BuildHistogram()
                  .Name("pkcs11_call_duration_seconds")
                  .Help("Calls into the PKCS#11 module, by function")
                  .Register(registry)),
        up(Gauge(registry, "hsm_device_up", "1: the token answers and is a member of the pool")
               .Add({{"node", node}})),
        epoch(
            Gauge(registry, "hsm_epoch", "The highest epoch that was seen").Add({{"node", node}})),
        primary(Gauge(registry, "hsm_gate_open", "1: it takes writes now").Add({{"node", node}})),
        free(Gauge(registry, "hsm_free_objects", "Objects that the token has room for")
                 .Add({{"node", node}})),
        secrets(Gauge(registry, "hsm_secrets", "Secrets on this token, by state")),
        pin(Gauge(registry, "hsm_pin_state", "1 at the state that the PIN is in")) {}

  prometheus::Registry registry;
  net::HttpMetrics http;
  prometheus::Family<prometheus::Histogram>& calls;
  std::map<const char*, prometheus::Histogram*> by_function;
  prometheus::Gauge& up;
  prometheus::Gauge& epoch;
  prometheus::Gauge& primary;
  prometheus::Gauge& free;
  GaugeFamily& secrets;
  GaugeFamily& pin;
};

Vitals::Vitals(std::string node, const base::Clock& clock, std::function<bool()> gate_open,
               net::CredentialSource& credentials)
    : node_(std::move(node)),
      clock_(clock),
      gate_open_(std::move(gate_open)),
      credentials_(credentials),
      metrics_(std::make_unique<Metrics>(node_)) {}

Vitals::~Vitals() = default;

void Vitals::Called(const char* function, base::Duration time) {
  // Each call into the module comes here, so its series is looked up by the literal's address.
  prometheus::Histogram* series = nullptr;
  {
    const std::lock_guard lock(mutex_);
    prometheus::Histogram*& known = metrics_->by_function[function];
    if (known == nullptr) known = &metrics_->calls.Add({{"function", function}}, kCallSeconds);
    series = known;
  }
  series->Observe(std::chrono::duration<double>(time).count());
}

void Vitals::Answered(const std::string& route, int status, base::Duration time) {
  metrics_->http.Answered(route, status, time);
}

void Vitals::Saw(const mirror::MemberStatus& status) {
  const bool up = status.standing == store::Standing::kMember && status.digest.has_value();
  metrics_->up.Set(up ? 1 : 0);
  metrics_->epoch.Set(static_cast<double>(status.epoch.counter));
  metrics_->free.Set(static_cast<double>(status.free_objects));
  for (const auto& [state, count] :
       {std::pair("present", status.secrets), std::pair("damaged", status.damaged),
        std::pair("quarantined", status.quarantined), std::pair("legacy", status.legacy)})
    metrics_->secrets.Add({{"node", node_}, {"state", state}}).Set(static_cast<double>(count));
  for (int i = 0; i <= static_cast<int>(token::PinState::kNotSet); ++i) {
    const auto state = static_cast<token::PinState>(i);
    metrics_->pin.Add({{"node", node_}, {"state", std::string(token::Name(state))}})
        .Set(state == status.pin ? 1 : 0);
  }
  const std::lock_guard lock(mutex_);
  seen_ = status;
  seen_at_ = clock_.Now();
}

HealthPart Vitals::Token() const {
  if (!seen_) return {"token", false, "it was not looked at yet"};
  if (seen_->pin == token::PinState::kRejected || seen_->pin == token::PinState::kLocked)
    return {"token", false, fmt::format("the PIN is {}", token::Name(seen_->pin))};
  switch (seen_->standing) {
    case store::Standing::kMember:
      break;
    case store::Standing::kBlank:
      return {"token", false, "the token is blank: init or reinit makes it a member"};
    case store::Standing::kEmptied:
      return {"token", false, "the token was emptied: reinit makes it a member again"};
    case store::Standing::kForeign:
      return {"token", false, "the token is of another pool or member"};
    case store::Standing::kUnknown:
      return {"token", false, "the token cannot be opened; the log says why"};
  }
  if (!seen_->digest) return {"token", false, "the token does not answer"};
  if (seen_->damaged > 0)
    return {"token", false, fmt::format("{} secrets are damaged", seen_->damaged)};
  return {"token", true, fmt::format("{} secrets", seen_->secrets)};
}

HealthPart Vitals::Certificate() const {
  const base::WallTime end = credentials_.Current()->not_after();
  return {"certificate", clock_.Wall() < end, "it ends at " + base::FormatTime(end)};
}

HealthReport Vitals::Report() const {
  HealthReport report;
  const bool open = gate_open_();
  const std::lock_guard lock(mutex_);
  const bool turns = seen_ && clock_.Now() - seen_at_ < kOldLook;
  report.live = {"live", turns || !seen_, turns ? "" : "the last look at the token is long ago"};
  const HealthPart token = Token();
  report.ready = {"ready", turns && token.ok, token.message};
  report.primary = {"primary", open, open ? "it takes writes" : "it has no grant to write"};
  // A Primary without a grant is no fault of the agent's, and the manager's to tell.
  report.parts = {token, Certificate()};
  return report;
}

net::Reply Vitals::Page(std::string_view path, const net::HttpServer* server) {
  if (path != "/metrics") return net::HealthPage(path, Report());
  metrics_->primary.Set(gate_open_() ? 1 : 0);
  metrics_->http.Follow(credentials_.Current()->not_after());
  if (server != nullptr) metrics_->http.Follow(server->refusals());
  return net::MetricsReply(metrics_->registry.Collect());
}

}  // namespace hsmops::agent
