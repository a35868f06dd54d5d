#include "libhsmops/cluster/object.h"

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/fields.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using nlohmann::json;

const json* Find(const json& document, const char* name) {
  if (!document.is_object()) return nullptr;
  const auto found = document.find(name);
  return found == document.end() || found->is_null() ? nullptr : &*found;
}

std::string MetadataText(const json& document, const char* name) {
  const json* metadata = Find(document, "metadata");
  const json* text = metadata == nullptr ? nullptr : Find(*metadata, name);
  return text != nullptr && text->is_string() ? text->get<std::string>() : std::string();
}

bool HoldsOnlyUtf8(const json& value) {
  if (value.is_string()) return base::IsUtf8(value.get_ref<const std::string&>());
  if (!value.is_structured()) return true;
  for (const auto& item : value.items()) {
    if (value.is_object() && !base::IsUtf8(item.key())) return false;
    if (!HoldsOnlyUtf8(item.value())) return false;
  }
  return true;
}

}  // namespace

std::string Describe(const ObjectKey& key) {
  return fmt::format("{} {}/{}", Name(key.kind), base::Printable(key.ns),
                     base::Printable(key.name));
}

base::Result<Object> Object::From(json document) {
  const json* kind_text = Find(document, "kind");
  if (kind_text == nullptr || !kind_text->is_string())
    return Error(ErrorCode::kInvalid, "kind: is missing");
  const auto kind = FromName<Kind>(kind_text->get<std::string>());
  if (!kind.ok()) return kind.error().Within("kind");
  const json* api_version = Find(document, "apiVersion");
  if (api_version == nullptr || *api_version != ApiVersion(*kind)) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("apiVersion: {} is not {}, which {} has",
                             api_version == nullptr ? "(none)" : Shown(*api_version),
                             ApiVersion(*kind), Name(*kind)));
  }
  for (const char* const part : {"metadata", "spec", "status"}) {
    const json* found = Find(document, part);
    if (found != nullptr && !found->is_object())
      return Error(ErrorCode::kInvalid, fmt::format("{}: {} is not a map", part, Shown(*found)));
  }
  ObjectKey key{*kind, MetadataText(document, "namespace"), MetadataText(document, "name")};
  if (auto fits = CheckName(key.name); !fits.ok()) return fits.error().Within("metadata.name");
  if (key.ns.empty()) {
    key.ns = kDefaultNamespace;
    document["metadata"]["namespace"] = key.ns;
  }
  if (auto fits = CheckNamespace(key.ns); !fits.ok())
    return fits.error().Within("metadata.namespace");
  if (!HoldsOnlyUtf8(document))
    return Error(ErrorCode::kInvalid, Describe(key) + " holds text that is not UTF-8");
  return Object(std::move(key), std::move(document));
}

Object::Object(ObjectKey key, json document)
    : key_(std::move(key)), document_(std::make_shared<const json>(std::move(document))) {}

std::string Object::version() const { return MetadataText(*document_, "resourceVersion"); }
std::string Object::uid() const { return MetadataText(*document_, "uid"); }

bool Object::operator==(const Object& other) const {
  return document_ == other.document_ || *document_ == *other.document_;
}

}  // namespace hsmops::cluster
