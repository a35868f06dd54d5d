#include "libhsmops/manager/raw_status.h"

#include "libhsmops/kube/json_fields.h"

namespace hsmops::manager {

using nlohmann::json;

RawStatus::RawStatus(const cluster::Object& object)
    : version_(object.version()), document_(object.document()) {
  if (!value().is_object()) value() = json::object();
}

void RawStatus::SetCondition(const std::string& type, const std::string& status,
                             const std::string& reason, const std::string& message,
                             base::WallTime now) {
  json condition{{"type", type},
                 {"status", status},
                 {"reason", reason},
                 {"message", message},
                 {"lastTransitionTime", base::FormatTime(now)}};
  const json* generation = kube::FieldIn(document_, "/metadata/generation");
  if (generation != nullptr && generation->is_number_integer())
    condition["observedGeneration"] = *generation;
  json::array_t conditions = ItemsBut(value(), "/conditions", "type", type);
  conditions.push_back(std::move(condition));
  value()["conditions"] = std::move(conditions);
}

base::Result<void> RawStatus::Write(cluster::ResourceStore& resources) const {
  HSM_TRY(const cluster::Object next, cluster::Object::From(document_));
  HSM_RETURN_IF_ERROR(resources.UpdateStatus(next, version_));
  return {};
}

json::array_t ItemsBut(const json& document, const char* pointer, const char* field,
                       const std::string& value) {
  json::array_t items;
  for (const json& item : kube::ItemsIn(document, pointer)) {
    if (kube::TextIn(item, std::string("/") + field) != value) items.push_back(item);
  }
  return items;
}

}  // namespace hsmops::manager
