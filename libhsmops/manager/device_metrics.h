// DeviceMetrics: a device's status as the series that docs/metrics.md lists.
#pragma once

#include <vector>

#include "libhsmops/cluster/resources.h"

namespace prometheus {
struct MetricFamily;
}

namespace hsmops::manager {

// Gauges of these devices, with the labels `namespace` and `device`, and `node` where one is meant.
// What is not known has no series: never a 0 that was not measured. Pure.
std::vector<prometheus::MetricFamily> MetricsOf(const std::vector<cluster::HSMDevice>& devices,
                                                base::WallTime now);

}  // namespace hsmops::manager
