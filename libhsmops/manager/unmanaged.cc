#include "libhsmops/manager/unmanaged.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"

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
      {"nextStep", fmt::format("mend what the message names (kubectl edit hsmdevice {}); it is "
                               "tried again by itself",
                               device)}};
}

json::array_t ItemsBut(const json& status, const char* pointer, const char* field,
                       const char* value) {
  json::array_t items;
  for (const json& item : kube::ItemsIn(status, pointer)) {
    if (kube::TextIn(item, std::string("/") + field) != value) items.push_back(item);
  }
  return items;
}

json UnknownOf(const char* type, const json& device, base::WallTime now) {
  json unknown{{"type", type},
               {"status", "Unknown"},
               {"reason", kReason},
               {"message", "no manager can look after it"},
               {"lastTransitionTime", base::FormatTime(now)}};
  const json* generation = kube::FieldIn(device, "/metadata/generation");
  if (generation != nullptr && generation->is_number_integer())
    unknown["observedGeneration"] = *generation;
  return unknown;
}

}  // namespace

void Unmanaged::Show(World& world, const std::string& ns, const std::string& device,
                     const Error& why) {
  const base::TimePoint now = world.clock.Now();
  if (!since_) since_ = now;
  if (MayPass(why) && now - *since_ < kLasting) return;
  const auto object = world.resources.Get(cluster::Kind::kHsmDevice, ns, device);
  if (!object.ok()) return;
  json document = object->document();
  json& status = document["status"];
  if (!status.is_object()) status = json::object();
  json finding = FindingOf(device, why);
  const auto& findings = kube::ItemsIn(status, "/findings");
  if (!findings.empty() && findings.front() == finding) return;
  json::array_t all = ItemsBut(status, "/findings", "reason", kReason);
  all.insert(all.begin(), std::move(finding));
  for (const char* type : {"Ready", "FailoverReady"}) {
    json::array_t conditions = ItemsBut(status, "/conditions", "type", type);
    conditions.push_back(UnknownOf(type, document, world.clock.Wall()));
    status["conditions"] = std::move(conditions);
  }
  status["findings"] = std::move(all);
  status["phase"] = "Degraded";
  const auto next = cluster::Object::From(std::move(document));
  if (next.ok()) (void)world.resources.UpdateStatus(*next, object->version());
}

}  // namespace hsmops::manager
