// Lease (coordination.k8s.io/v1): what the managers' election and the Arbiter are kept in.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

// An empty optional is a field that the Lease lacks. Times are MicroTime.
struct LeaseSpec {
  std::optional<std::string> holder_identity;  // "" is nobody, and is written
  std::optional<int> lease_duration_seconds;
  std::optional<int> lease_transitions;
  std::optional<base::WallTime> acquire_time;
  std::optional<base::WallTime> renew_time;
  bool operator==(const LeaseSpec&) const = default;
};

struct Lease {
  static constexpr Kind kKind = Kind::kLease;
  ObjectMeta metadata;
  LeaseSpec spec;

  // kInvalid as HSMDevice::FromJson.
  static base::Result<Lease> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;
  // For who judges by the wall clock alone: it was renewed within twice its time. False where it
  // does not say when, or says a time that far ahead.
  bool Fresh(base::WallTime now) const;

  bool operator==(const Lease&) const = default;
};

}  // namespace hsmops::cluster
