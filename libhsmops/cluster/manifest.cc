#include "libhsmops/cluster/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/fields.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

std::string TextField(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string_view GroupOf(std::string_view api_version) {
  return api_version.substr(0, api_version.find('/'));
}

// nullopt: a foreign kind. A kind of ours in a version that we do not know is an error, since
// passing it over would read it as absent.
Result<std::optional<Kind>> OurKind(const json& document) {
  const std::string kind_text = TextField(document, "kind");
  const std::string api_version = TextField(document, "apiVersion");
  if (kind_text.empty() || api_version.empty())
    return Error(ErrorCode::kInvalid, "a resource needs apiVersion and kind");
  const auto kind = FromName<Kind>(kind_text);
  if (!kind.ok() || GroupOf(ApiVersion(*kind)) != GroupOf(api_version))
    return std::optional<Kind>();
  if (ApiVersion(*kind) == api_version) return std::optional<Kind>(*kind);
  return Error(ErrorCode::kInvalid, fmt::format("apiVersion: \"{}\" is not {}",
                                                base::Printable(api_version), ApiVersion(*kind)));
}

bool IsList(const json& document) {
  return TextField(document, "kind") == "List" && TextField(document, "apiVersion") == "v1";
}

bool IsMarker(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' ||
                                     line[3] == '\r' || line[3] == '\n');
}

// Nothing but white space, comments and markers.
bool IsBlank(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (IsMarker(line)) line.remove_prefix(3);
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#') return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

}  // namespace

void Manifest::Split() {
  // A line of three dashes separates documents wherever it stands: YAML allows it in no scalar.
  Part part;
  std::size_t line = 1;
  for (std::size_t at = 0; at < text_.size(); ++line) {
    const std::size_t end = std::min(text_.find('\n', at), text_.size() - 1) + 1;
    if (at > part.begin && IsMarker(std::string_view(text_).substr(at, end - at))) {
      part.end = at;
      parts_.push_back(part);
      part = {at, at, line};
    }
    at = end;
  }
  part.end = text_.size();
  parts_.push_back(part);
}

Result<Manifest> Manifest::Parse(std::string text, Kind kind) {
  Manifest manifest;
  manifest.text_ = std::move(text);
  manifest.Split();
  for (std::size_t i = 0; i < manifest.parts_.size(); ++i)
    HSM_RETURN_IF_ERROR(manifest.Read(i, kind));
  return manifest;
}

Result<void> Manifest::Read(std::size_t part, Kind kind) {
  const std::size_t line = parts_[part].line;
  HSM_TRY(json document, ParseYaml(TextOf(parts_[part]), line));
  if (document.is_null()) return {};
  const auto place = [&](std::optional<std::size_t> item) {
    return fmt::format("line {}{}", line, item ? fmt::format(", items[{}]", *item) : "");
  };
  if (!document.is_object())
    return Error(ErrorCode::kInvalid,
                 fmt::format("{}: {} is not a resource", place({}), Shown(document)));
  const auto object_of = [&](json value) { return Object::From(std::move(value)); };
  if (!IsList(document)) {
    HSM_TRY(const auto ours, OurKind(document).Within(place({})));
    if (!ours) return {};
    HSM_TRY(Object object, object_of(std::move(document)).Within(place({})));
    return Take({std::move(object), part, std::nullopt, line}, kind).Within(place({}));
  }
  json& items = document["items"];
  if (!items.is_array() && !items.is_null())
    return Error(ErrorCode::kInvalid, fmt::format("{}: items is not a list", place({})));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_object())
      return Error(ErrorCode::kInvalid,
                   fmt::format("{}: {} is not a resource", place(i), Shown(items[i])));
    HSM_TRY(const auto ours, OurKind(items[i]).Within(place(i)));
    if (!ours) continue;
    HSM_TRY(Object object, object_of(std::move(items[i])).Within(place(i)));
    HSM_RETURN_IF_ERROR(Take({std::move(object), part, i, line}, kind).Within(place(i)));
  }
  return {};
}

Result<void> Manifest::Take(Entry entry, Kind kind) {
  const ObjectKey& key = entry.object.key();
  if (key.kind != kind) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} belongs in the folder {}", Describe(key), Plural(key.kind)));
  }
  const auto same =
      std::ranges::find_if(entries_, [&](const Entry& other) { return other.object.key() == key; });
  if (same != entries_.end()) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} is there twice, the first at line {}", Describe(key), same->line));
  }
  entries_.push_back(std::move(entry));
  return {};
}

Result<std::string> Manifest::Spliced(const Part& part, const json& document) const {
  HSM_TRY(const std::string yaml, EmitYaml(document));
  const std::string_view before = std::string_view(text_).substr(0, part.begin);
  const std::string_view after = std::string_view(text_).substr(part.end);
  const bool marked = IsMarker(TextOf(part).substr(0, TextOf(part).find('\n')));
  return fmt::format("{}{}{}{}", before, marked ? "---\n" : "", yaml, after);
}

Result<std::string> Manifest::Replaced(const Entry& entry, const json& document) const {
  const Part& part = parts_[entry.part];
  if (!entry.item) return Spliced(part, document);
  HSM_TRY(json list, ParseYaml(TextOf(part), part.line));
  list["items"][*entry.item] = document;
  return Spliced(part, list);
}

Result<std::string> Manifest::Without(const Entry& entry) const {
  const Part& part = parts_[entry.part];
  std::string text;
  if (entry.item) {
    HSM_TRY(json list, ParseYaml(TextOf(part), part.line));
    list["items"].erase(*entry.item);
    if (!list["items"].empty()) return Spliced(part, list);
  }
  text = text_.substr(0, part.begin) + text_.substr(part.end);
  if (IsBlank(text)) text.clear();
  return text;
}

}  // namespace hsmops::cluster
