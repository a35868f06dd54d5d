#include "libhsmops/cluster/object_rules.h"

#include <nlohmann/json.hpp>

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using nlohmann::json;

constexpr const char* kOwnedByStore[] = {"uid", "creationTimestamp", "generation"};

json Part(const json& document, const char* name) {
  const auto found = document.find(name);
  return found == document.end() ? json() : *found;
}

}  // namespace

json Created(const Object& object, std::string_view uid, base::WallTime now) {
  json document = object.document();
  if (HasStatus(object.key().kind)) document.erase("status");
  json& metadata = document["metadata"];
  metadata.erase("resourceVersion");
  metadata["uid"] = uid;
  metadata["creationTimestamp"] = base::FormatTime(now);
  metadata["generation"] = 1;
  return document;
}

json Updated(const json& current, const Object& proposed) {
  json document = proposed.document();
  json& metadata = document["metadata"];
  const json& old = current.at("metadata");
  for (const char* const field : kOwnedByStore) {
    metadata.erase(field);
    if (old.contains(field)) metadata[field] = old.at(field);
  }
  if (HasStatus(proposed.key().kind)) {
    document.erase("status");
    if (current.contains("status")) document["status"] = current.at("status");
  }
  if (Part(current, "spec") != Part(document, "spec") && metadata.contains("generation")) {
    metadata["generation"] = metadata["generation"].get<std::int64_t>() + 1;
  }
  return document;
}

json WithStatus(const json& current, const Object& proposed) {
  json document = current;
  const json status = Part(proposed.document(), "status");
  document.erase("status");
  if (!status.is_null()) document["status"] = status;
  return document;
}

void SetVersion(json& document, std::string_view version) {
  document["metadata"]["resourceVersion"] = version;
}

base::Result<void> CheckUpdate(const Object& object, std::string_view expected, bool status) {
  if (status && !HasStatus(object.key().kind)) {
    return Error(ErrorCode::kInvalid, Describe(object.key()) + ": this kind has no status");
  }
  if (expected.empty()) {
    return Error(ErrorCode::kInvalid,
                 Describe(object.key()) + ": an update names the version that it replaces");
  }
  return {};
}

Error NoSuchObject(const ObjectKey& key) {
  return {ErrorCode::kNotFound, "there is no " + Describe(key)};
}

Error AlreadyExists(const ObjectKey& key) {
  return {ErrorCode::kConflict, Describe(key) + " exists already"};
}

Error Moved(const ObjectKey& key, std::string_view expected, std::string_view found) {
  return {ErrorCode::kConflict, fmt::format("{} was changed by somebody else: version {} is now {}",
                                            Describe(key), expected, found)};
}

}  // namespace hsmops::cluster
