#include "libhsmops/manager/vitals.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

#include "libhsmops/manager/device_metrics.h"

namespace hsmops::manager {

using net::HealthPart;
using net::HealthReport;

namespace {

// A turn of the controller may be a promotion or a long sync; the others only ask.
constexpr std::array<base::Duration, kLoops> kPatience{
    std::chrono::seconds(60), std::chrono::seconds(60), std::chrono::minutes(15),
    std::chrono::seconds(60)};
constexpr std::array<std::string_view, kLoops> kLoopNames{"election", "grants", "control", "look"};

const prometheus::Histogram::BucketBoundaries kLongSeconds{0.01, 0.05, 0.1, 0.5, 1,  2.5,
                                                           5,    10,   15,  30,  60, 300};

const prometheus::Histogram::BucketBoundaries kTurnSeconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                           0.5,   1,    2.5,   5,    30};

double InSeconds(base::Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

struct Vitals::Metrics {
  Metrics()
      : http(registry),
        leader(prometheus::BuildGauge()
                   .Name("leader")
                   .Help("1: this replica leads")
                   .Register(registry)
                   .Add({})),
        promotions(prometheus::BuildCounter()
                       .Name("hsm_failover_total")
                       .Help("Promotions that ended, by kind and outcome")
                       .Register(registry)),
        promotion_time(prometheus::BuildHistogram()
                           .Name("hsm_failover_duration_seconds")
                           .Help("From a promotion's begin to its end")
                           .Register(registry)),
        sync_time(prometheus::BuildHistogram()
                      .Name("hsm_sync_duration_seconds")
                      .Help("One sync of all members")
                      .Register(registry)),
        sync_errors(prometheus::BuildCounter()
                        .Name("hsm_sync_errors_total")
                        .Help("Syncs that left a member unequal")
                        .Register(registry)),
        turn_time(prometheus::BuildHistogram()
                      .Name("hsm_controller_turn_duration_seconds")
                      .Help("One turn of a device's controller: it looks, decides and acts")
                      .Register(registry)) {}

  prometheus::Registry registry;
  net::HttpMetrics http;
  prometheus::Gauge& leader;
  prometheus::Family<prometheus::Counter>& promotions;
  prometheus::Family<prometheus::Histogram>& promotion_time;
  prometheus::Family<prometheus::Histogram>& sync_time;
  prometheus::Family<prometheus::Counter>& sync_errors;
  prometheus::Family<prometheus::Histogram>& turn_time;
};

Vitals::Vitals(std::string ns, const base::Clock& clock, net::CredentialSource& credentials)
    : ns_(std::move(ns)),
      clock_(clock),
      began_(clock.Wall()),
      credentials_(credentials),
      metrics_(std::make_unique<Metrics>()) {
  turned_.fill(clock.Now());
}

Vitals::~Vitals() = default;

void Vitals::Turned(Loop loop) {
  const std::lock_guard lock(mutex_);
  turned_[static_cast<std::size_t>(loop)] = clock_.Now();
}

void Vitals::Led(bool leads, const std::string& leader) {
  const std::lock_guard lock(mutex_);
  leads_ = leads;
  leader_ = leader;
}

void Vitals::Saw(base::Result<cluster::Loaded<cluster::HSMDevice>> devices) {
  const std::lock_guard lock(mutex_);
  looked_ = true;
  unseen_.reset();
  if (!devices.ok()) {
    unseen_ = devices.error();
    return;
  }
  devices_ = std::move(devices->items);
  refused_.clear();
  for (const base::Error& refused : devices->refused) refused_.push_back(refused.message());
  for (const cluster::HSMDevice& device : devices_) CountHistory(device);
  std::erase_if(counted_, [&](const auto& entry) {
    return std::none_of(devices_.begin(), devices_.end(), [&](const cluster::HSMDevice& device) {
      return device.metadata.name == entry.first;
    });
  });
}

// Only while it leads, so that each is counted once; and what ended before that is not its to
// count.
void Vitals::CountHistory(const cluster::HSMDevice& device) {
  const bool known = counted_.contains(device.metadata.name);
  std::set<std::string> seen;
  for (const cluster::HistoryEntry& entry : device.status.history) {
    std::string key =
        fmt::format("{} {} {} {}", entry.epoch, entry.type, entry.outcome, entry.operation);
    const bool counted = counted_[device.metadata.name].contains(key);
    seen.insert(std::move(key));
    const bool ours = known || (entry.time && *entry.time > began_);
    if (counted || !ours || !leads_) continue;
    auto labels = LabelsOf(device.metadata.name);
    labels.insert({{"kind", entry.type}, {"outcome", entry.outcome}});
    metrics_->promotions.Add(labels).Increment();
    if (entry.duration_ms)
      metrics_->promotion_time.Add(labels, kLongSeconds)
          .Observe(static_cast<double>(*entry.duration_ms) / 1000);
  }
  counted_[device.metadata.name] = std::move(seen);
}

void Vitals::Synced(const std::string& device, base::Duration time, bool whole) {
  metrics_->sync_time.Add(LabelsOf(device), kLongSeconds).Observe(InSeconds(time));
  prometheus::Counter& errors = metrics_->sync_errors.Add(LabelsOf(device));
  if (!whole) errors.Increment();
}

void Vitals::TookTurn(const std::string& device, base::Duration time) {
  metrics_->turn_time.Add(LabelsOf(device), kTurnSeconds).Observe(InSeconds(time));
}

void Vitals::Answered(const std::string& route, int status, base::Duration time) {
  metrics_->http.Answered(route, status, time);
}

HealthPart Vitals::Resources() const {
  if (unseen_) return {"resources", false, "the devices cannot be read"};
  if (!looked_) return {"resources", false, "they were not looked at yet"};
  // Nobody leads it then, and nothing is known of it.
  if (!refused_.empty()) return {"resources", false, fmt::format("{}", fmt::join(refused_, "; "))};
  return {"resources", true,
          fmt::format("{} device{}", devices_.size(), devices_.size() == 1 ? "" : "s")};
}

HealthPart Vitals::Live() const {
  for (std::size_t i = 0; i < kLoops; ++i) {
    if (clock_.Now() - turned_[i] > kPatience[i])
      return {"live", false, fmt::format("the loop \"{}\" does not turn", kLoopNames[i])};
  }
  return {"live", true, ""};
}

namespace {

bool HasFinding(const cluster::HSMDevice& device, const cluster::DeviceStatus& member,
                std::string_view reason) {
  return std::ranges::any_of(device.status.findings, [&](const cluster::Finding& finding) {
    return finding.subject == member.node_name && finding.reason == reason;
  });
}

}  // namespace

void Vitals::AddDevices(HealthReport& report) const {
  std::map<std::string, HealthPart> nodes;
  HealthPart sync{"sync", refused_.empty(), "every copy is equal"};
  if (!refused_.empty())
    sync.message = "of a device that cannot be read nothing is known";
  else if (devices_.empty())
    sync.message = "there is no device";
  for (const cluster::HSMDevice& device : devices_) {
    for (const cluster::DeviceStatus& member : device.status.devices) {
      HealthPart& part = nodes.try_emplace(member.node_name).first->second;
      if (part.name.empty()) part = {"device/" + member.node_name, true, ""};
      part.ok = part.ok && member.available;
      if (!member.available)
        part.message += fmt::format("{}{} cannot use it", part.message.empty() ? "" : "; ",
                                    device.metadata.name);
      const bool primary = member.node_name == device.status.primary_node;
      const bool equal = member.in_sync.value_or(false) && !HasFinding(device, member, "NotEqual");
      if (primary ? member.available : equal) continue;
      sync.message = sync.ok ? "" : sync.message + "; ";
      sync.ok = false;
      sync.message +=
          fmt::format("{} of {} {}", member.node_name, device.metadata.name,
                      primary ? "is what the copies are to be equal to, and it is not available"
                              : "is not known to be equal");
    }
  }
  for (auto& [node, part] : nodes) report.parts.push_back(std::move(part));
  report.parts.push_back(std::move(sync));
}

HealthReport Vitals::Report() const {
  const std::lock_guard lock(mutex_);
  HealthReport report;
  report.live = Live();
  const HealthPart resources = Resources();
  // One device that cannot be read keeps no other from being served.
  const bool sees = looked_ && !unseen_ && (refused_.empty() || !devices_.empty());
  report.ready = {"ready", sees, resources.message};
  report.parts = {resources,
                  {"lease", !leader_.empty(),
                   leader_.empty() ? "nobody leads" : fmt::format("{} leads", leader_)}};
  AddDevices(report);
  return report;
}

net::Reply Vitals::MetricsPage(const net::HttpServer* server) {
  metrics_->http.Follow(credentials_.Current()->not_after());
  if (server != nullptr) metrics_->http.Follow(server->refusals());
  std::vector<prometheus::MetricFamily> families;
  {
    const std::lock_guard lock(mutex_);
    metrics_->leader.Set(leads_ ? 1 : 0);
    if (leads_) families = MetricsOf(devices_, clock_.Wall());
  }
  const std::vector<prometheus::MetricFamily> own = metrics_->registry.Collect();
  families.insert(families.end(), own.begin(), own.end());
  return net::MetricsReply(families);
}

net::Reply Vitals::Page(std::string_view path, const net::HttpServer* server) {
  return path == "/metrics" ? MetricsPage(server) : net::HealthPage(path, Report());
}

}  // namespace hsmops::manager
