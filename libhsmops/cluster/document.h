// ReadDocument and WriteDocument: a whole resource from and to its JSON, for the resources' own
// .cc.
//
// Internal to cluster/.
#pragma once

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/field_schema.h"
#include "libhsmops/cluster/fields.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

// kInvalid unless the document says that it is of this kind and API version.
base::Result<void> CheckKind(const nlohmann::json& document, Kind kind);

// `T` has metadata, spec and status. Types are checked here; what fits together is up to T.
template <typename T>
base::Result<T> ReadDocument(const nlohmann::json& document) {
  HSM_RETURN_IF_ERROR(CheckKind(document, T::kKind));
  Problems problems;
  FieldReader fields(document, "", problems);
  T value;
  fields("metadata", value.metadata);
  if (!fields.Has("metadata")) problems.Add("metadata", "is missing");
  fields("spec", value.spec);
  if constexpr (requires { value.status; }) fields("status", value.status);
  HSM_RETURN_IF_ERROR(problems.Finish());
  return value;
}

template <typename T>
nlohmann::json WriteDocument(T value) {
  FieldWriter fields;
  fields("metadata", value.metadata);
  fields("spec", value.spec);
  if constexpr (requires { value.status; }) fields("status", value.status);
  nlohmann::json document = std::move(fields).Take();
  document["apiVersion"] = ApiVersion(T::kKind);
  document["kind"] = Name(T::kKind);
  return document;
}

// Of its spec and its status.
template <typename T>
nlohmann::json SchemaOf() {
  T value;
  FieldSchema fields;
  fields("spec", value.spec);
  fields("status", value.status);
  return std::move(fields).Take();
}

}  // namespace hsmops::cluster
