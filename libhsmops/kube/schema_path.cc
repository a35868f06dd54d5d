#include "libhsmops/kube/schema_path.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/check.h"

namespace hsmops::kube {

nlohmann::json& SchemaAt(nlohmann::json& schema, std::string_view path) {
  nlohmann::json* at = &schema;
  while (!path.empty()) {
    const std::string_view step = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(step.size() + 1, path.size()));
    const bool property = step != "[]" && step != "{}";
    nlohmann::json& parent = property ? (*at)["properties"] : *at;
    const std::string_view inner = property       ? step
                                   : step == "[]" ? "items"
                                                  : "additionalProperties";
    HSM_CHECK(parent.contains(inner));
    at = &parent[std::string(inner)];
  }
  return *at;
}

}  // namespace hsmops::kube
