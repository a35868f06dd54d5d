#include "libhsmops/manager/device_metrics.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <string>

namespace hsmops::manager {

using cluster::DeviceStatus;
using cluster::HSMDevice;
using prometheus::ClientMetric;
using prometheus::MetricFamily;

namespace {

using Labels = std::vector<ClientMetric::Label>;

double Seconds(base::WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

class Families {
 public:
  void Set(const std::string& name, const std::string& help, Labels labels, double value) {
    auto found = std::find_if(all_.begin(), all_.end(),
                              [&](const MetricFamily& family) { return family.name == name; });
    if (found == all_.end())
      found = all_.insert(all_.end(), {name, help, prometheus::MetricType::Gauge, {}});
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    found->metric.push_back(std::move(metric));
  }
  std::vector<MetricFamily> Take() { return std::move(all_); }

 private:
  std::vector<MetricFamily> all_;
};

class OfDevice {
 public:
  OfDevice(const HSMDevice& device, Families& families)
      : device_(device), status_(device.status), families_(families) {}

  void Describe(base::WallTime now) {
    for (const DeviceStatus& member : status_.devices) DescribeMember(member);
    if (status_.epoch)
      Set("hsm_epoch", "The epoch of the arbiter", static_cast<double>(status_.epoch->counter));
    const bool paused = status_.paused && (!status_.paused->until || *status_.paused->until > now);
    Set("hsm_paused", "1: nothing is promoted by itself until a time", paused ? 1 : 0);
    Set("hsm_failover_candidates", "Members that could be promoted now",
        static_cast<double>(std::count_if(
            status_.devices.begin(), status_.devices.end(), [&](const DeviceStatus& member) {
              return member.node_name != status_.primary_node && member.why_not.empty();
            })));
    if (status_.mirroring && status_.mirroring->last_sync_time)
      Set("hsm_last_sync_timestamp_seconds", "When every copy was last found equal",
          Seconds(*status_.mirroring->last_sync_time));
    DescribeSecrets();
  }

 private:
  // With the device's own labels before these.
  void Set(const std::string& name, const std::string& help, double value, Labels labels = {}) {
    labels.insert(labels.begin(),
                  {{"namespace", device_.metadata.ns}, {"device", device_.metadata.name}});
    families_.Set(name, help, std::move(labels), value);
  }

  void DescribeMember(const DeviceStatus& member) {
    const ClientMetric::Label node{"node", member.node_name};
    Set("hsm_device_up", "1: the member answers and can be used", member.available ? 1 : 0, {node});
    for (const auto& [role, name] : cluster::NamesOf(cluster::DeviceRole{})) {
      if (role == cluster::DeviceRole::kUnset) continue;
      Set("hsm_device_role", "1 at the role that the member has", role == member.role ? 1 : 0,
          {node, {"role", std::string(name)}});
    }
    if (member.lag.versions)
      Set("hsm_replication_lag_versions", "Versions that the Primary has and the member lacks",
          static_cast<double>(*member.lag.versions), {node});
    if (member.lag.seconds)
      Set("hsm_replication_lag_seconds", "Age of the oldest of them",
          static_cast<double>(*member.lag.seconds), {node});
    if (!member.pin.empty())
      Set("hsm_pin_state", "1 at the state that the PIN is in", 1, {node, {"state", member.pin}});
  }

  void DescribeSecrets() {
    if (!status_.secrets) return;
    const cluster::SecretCounts& counts = *status_.secrets;
    for (const auto& [state, count] :
         {std::pair("full", counts.full), std::pair("partial", counts.partial),
          std::pair("inconsistent", counts.inconsistent),
          std::pair("unreplicated", counts.unreplicated)})
      Set("hsm_secrets", "Secrets by how many members have them", static_cast<double>(count),
          {{"state", state}});
    Set("hsm_divergence", "Versions set aside that wait for a person",
        static_cast<double>(counts.diverged));
  }

  const HSMDevice& device_;
  const cluster::HSMDeviceStatus& status_;
  Families& families_;
};

}  // namespace

std::vector<MetricFamily> MetricsOf(const std::vector<HSMDevice>& devices, base::WallTime now) {
  Families families;
  for (const HSMDevice& device : devices) OfDevice(device, families).Describe(now);
  return families.Take();
}

}  // namespace hsmops::manager
