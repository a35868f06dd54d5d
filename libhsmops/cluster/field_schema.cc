#include "libhsmops/cluster/field_schema.h"

#include <nlohmann/json.hpp>

namespace hsmops::cluster {
namespace {

using nlohmann::json;

const json kString = {{"type", "string"}};
const json kInteger = {{"type", "integer"}, {"format", "int64"}};

}  // namespace

FieldSchema::FieldSchema() : schema_(std::make_unique<json>(json{{"type", "object"}})) {}
FieldSchema::~FieldSchema() = default;
FieldSchema::FieldSchema(FieldSchema&&) noexcept = default;

json FieldSchema::Take() && { return std::move(*schema_); }

namespace {

json& Property(json& schema, std::string_view name) {
  return schema["properties"][std::string(name)];
}

}  // namespace

void FieldSchema::operator()(std::string_view name, std::string&) {
  Property(*schema_, name) = kString;
}
void FieldSchema::Always(std::string_view name, const std::string&) {
  Property(*schema_, name) = kString;
}
void FieldSchema::operator()(std::string_view name, bool&) {
  Property(*schema_, name) = {{"type", "boolean"}};
}
void FieldSchema::operator()(std::string_view name, int&) {
  Property(*schema_, name) = {{"type", "integer"}, {"format", "int32"}};
}
void FieldSchema::operator()(std::string_view name, std::int64_t&) {
  Property(*schema_, name) = kInteger;
}
// JSON has no larger numbers that everybody reads alike.
void FieldSchema::operator()(std::string_view name, std::uint64_t&) {
  Property(*schema_, name) = kInteger;
}
void FieldSchema::operator()(std::string_view name, std::chrono::seconds&) {
  Property(*schema_, name) = kInteger;
}
void FieldSchema::IntOrString(std::string_view name, std::string&) {
  Property(*schema_, name) = {{"x-kubernetes-int-or-string", true}};
}
// A number of seconds, or text in Go's form.
void FieldSchema::operator()(std::string_view name, std::chrono::milliseconds&) {
  Property(*schema_, name) = {{"x-kubernetes-int-or-string", true}};
}
void FieldSchema::operator()(std::string_view name, std::optional<base::WallTime>&) {
  Property(*schema_, name) = {{"type", "string"}, {"format", "date-time"}};
}
void FieldSchema::operator()(std::string_view name, std::vector<std::string>&) {
  Property(*schema_, name) = {{"type", "array"}, {"items", kString}};
}
void FieldSchema::operator()(std::string_view name, std::map<std::string, std::string>&) {
  Property(*schema_, name) = {{"type", "object"}, {"additionalProperties", kString}};
}
void FieldSchema::operator()(std::string_view name, std::map<std::string, int>&) {
  Property(*schema_, name) = {{"type", "object"},
                              {"additionalProperties", {{"type", "integer"}, {"format", "int32"}}}};
}

void FieldSchema::Put(std::string_view name, FieldSchema inner) {
  Property(*schema_, name) = std::move(inner).Take();
}
void FieldSchema::PutList(std::string_view name, FieldSchema inner) {
  Property(*schema_, name) = {{"type", "array"}, {"items", std::move(inner).Take()}};
}
void FieldSchema::PutEnum(std::string_view name, const std::vector<std::string_view>& names) {
  json& property = Property(*schema_, name);
  property = kString;
  for (const std::string_view one : names) property["enum"].push_back(std::string(one));
}

}  // namespace hsmops::cluster
