// SchemaAt: a place in a structural schema (OpenAPI v3).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace hsmops::kube {

// The schema of what is at `path`: names of properties with dots between them, "[]" for a list's
// items, "{}" for a map's values; "" is the schema itself. Each has to be there.
nlohmann::json& SchemaAt(nlohmann::json& schema, std::string_view path);

}  // namespace hsmops::kube
