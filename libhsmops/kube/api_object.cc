#include "libhsmops/kube/api_object.h"

#include <nlohmann/json.hpp>

namespace hsmops::kube {

base::Result<cluster::Object> ObjectOf(cluster::Kind kind, nlohmann::json document) {
  if (!document.is_object())
    return base::Error(base::ErrorCode::kCorrupt, "the API server sent what is no object");
  // A list's items of a built-in kind say neither what they are nor of which version.
  document["apiVersion"] = cluster::ApiVersion(kind);
  document["kind"] = cluster::Name(kind);
  const auto metadata = document.find("metadata");
  if (metadata != document.end() && metadata->is_object()) metadata->erase("managedFields");
  auto object = cluster::Object::From(std::move(document));
  if (object.ok()) return object;
  return base::Error(base::ErrorCode::kCorrupt, object.error().message());
}

}  // namespace hsmops::kube
