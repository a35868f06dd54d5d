#include "libhsmops/cluster/lease.h"

#include "libhsmops/cluster/document.h"

namespace hsmops::cluster {

template <typename Fields>
void Describe(Fields& fields, LeaseSpec& spec) {
  if constexpr (Fields::kReading) {
    fields("holderIdentity", spec.holder_identity);
  } else if (spec.holder_identity) {
    fields.Always("holderIdentity", *spec.holder_identity);
  }
  fields("leaseDurationSeconds", spec.lease_duration_seconds);
  fields("leaseTransitions", spec.lease_transitions);
  fields.Micro("acquireTime", spec.acquire_time);
  fields.Micro("renewTime", spec.renew_time);
}

base::Result<Lease> Lease::FromJson(const nlohmann::json& document) {
  return ReadDocument<Lease>(document);
}

nlohmann::json Lease::ToJson() const { return WriteDocument(*this); }

bool Lease::Fresh(base::WallTime now) const {
  const std::chrono::seconds duration(spec.lease_duration_seconds.value_or(0));
  if (!spec.renew_time) return false;
  const auto age = now - *spec.renew_time;
  return age < 2 * duration && age > -2 * duration;
}

}  // namespace hsmops::cluster
