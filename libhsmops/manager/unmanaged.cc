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
  return {{"severity", "critical"},
          {"subject", device},
          {"reason", kReason},
          {"message",
           "no manager can look after it, so the Primary's grant is not renewed and "
           "nothing is promoted: " +
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

json ReadyUnknown(const json& device, base::WallTime now) {
  json ready{{"type", "Ready"},
             {"status", "Unknown"},
             {"reason", kReason},
             {"message", "no manager can look after it"},
             {"lastTransitionTime", base::FormatTime(now)}};
  const json* generation = kube::FieldIn(device, "/metadata/generation");
  if (generation != nullptr && generation->is_number_integer())
    ready["observedGeneration"] = *generation;
  return ready;
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
  json::array_t conditions = ItemsBut(status, "/conditions", "type", "Ready");
  conditions.push_back(ReadyUnknown(document, world.clock.Wall()));
  status["findings"] = std::move(all);
  status["conditions"] = std::move(conditions);
  status["phase"] = "Unavailable";
  const auto next = cluster::Object::From(std::move(document));
  if (next.ok()) (void)world.resources.UpdateStatus(*next, object->version());
}

}  // namespace hsmops::manager
