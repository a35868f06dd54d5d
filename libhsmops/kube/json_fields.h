// Fields of documents that others wrote: what is not there, or of another type, is empty.
//
// nlohmann's value() throws where the type is another.
#pragma once

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "libhsmops/base/bytes.h"

namespace hsmops::kube {

// Of an answer's body; discarded where it is no JSON, so that every field of it is empty.
inline nlohmann::json ParseBody(base::ByteView body) {
  return nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
}

inline std::string TextAt(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto field = object.find(key);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

inline int NumberAt(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto field = object.find(key);
  return field != object.end() && field->is_number_integer() ? field->get<int>() : 0;
}

// Null where there is no such object.
inline const nlohmann::json& ObjectAt(const nlohmann::json& object, const char* key) {
  static const nlohmann::json none;
  if (!object.is_object()) return none;
  const auto field = object.find(key);
  return field != object.end() && field->is_object() ? *field : none;
}
inline nlohmann::json ObjectAt(nlohmann::json&& object, const char* key) {
  return ObjectAt(std::as_const(object), key);
}

// By a JSON pointer (RFC 6901) in which nothing is escaped: "/metadata/name"; "" is the document.
// nullptr: there is nothing. (nlohmann's own json_pointer is taken apart anew for each use, which
// was a tenth of what `list` computes.)
inline const nlohmann::json* FieldIn(const nlohmann::json& document, std::string_view pointer) {
  const nlohmann::json* at = &document;
  while (at != nullptr && !pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    if (at->is_object()) {
      const auto field = at->find(part);
      at = field == at->end() ? nullptr : &*field;
    } else {
      std::size_t index = 0;
      const bool number =
          std::from_chars(part.data(), part.data() + part.size(), index).ec == std::errc();
      at = at->is_array() && number && index < at->size() ? &(*at)[index] : nullptr;
    }
  }
  return at;
}

inline std::string TextIn(const nlohmann::json& document, std::string_view pointer) {
  const nlohmann::json* field = FieldIn(document, pointer);
  return field != nullptr && field->is_string() ? field->get<std::string>() : std::string();
}

inline bool FlagIn(const nlohmann::json& document, std::string_view pointer) {
  const nlohmann::json* field = FieldIn(document, pointer);
  return field != nullptr && *field == true;
}

inline const nlohmann::json::array_t& ItemsIn(const nlohmann::json& document,
                                              std::string_view pointer) {
  static const nlohmann::json::array_t none;
  const nlohmann::json* field = FieldIn(document, pointer);
  return field != nullptr && field->is_array() ? field->get_ref<const nlohmann::json::array_t&>()
                                               : none;
}
inline nlohmann::json::array_t ItemsIn(nlohmann::json&& document, std::string_view pointer) {
  return ItemsIn(std::as_const(document), pointer);
}

}  // namespace hsmops::kube
