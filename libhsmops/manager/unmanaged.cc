#include "libhsmops/manager/unmanaged.h"

#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/raw_status.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using nlohmann::json;

namespace {

constexpr const char* kReason = "NotManaged";
constexpr std::chrono::seconds kLasting{10};

bool MayPass(const Error& why) {
  return why.code() == ErrorCode::kUnavailable || why.code() == ErrorCode::kConflict ||
         why.code() == ErrorCode::kInDoubt;
}

json FindingOf(const std::string& device, const Error& why) {
  return {
      {"severity", "critical"},
      {"subject", device},
      {"reason", kReason},
      {"message",
       "no manager can look after it, so nothing is promoted or mended, and all else here is as "
       "it was seen last: " +
           base::Printable(why.message())},
      {"nextStep", "mend what the message names; it is tried again by itself"}};
}

}  // namespace

bool Unmanaged::Show(World& world, const std::string& ns, const std::string& device,
                     const Error& why) {
  const base::TimePoint now = world.clock.Now();
  if (!since_) since_ = now;
  if (MayPass(why) && now - *since_ < kLasting) return false;
  const auto object = world.resources.Get(cluster::Kind::kHsmDevice, ns, device);
  if (!object.ok()) return true;
  RawStatus status(*object);
  json finding = FindingOf(device, why);
  const auto& findings = kube::ItemsIn(status.value(), "/findings");
  if (!findings.empty() && findings.front() == finding) return true;
  json::array_t all = ItemsBut(status.value(), "/findings", "reason", kReason);
  all.insert(all.begin(), std::move(finding));
  status.value()["findings"] = std::move(all);
  status.value()["phase"] = "Degraded";
  for (const char* type : {"Ready", "PrimaryAvailable", "Mirrored", "FailoverReady"})
    status.SetCondition(type, "Unknown", kReason, "no manager can look after it",
                        world.clock.Wall());
  (void)status.Write(world.resources);  // else at the next look
  return true;
}

}  // namespace hsmops::manager
