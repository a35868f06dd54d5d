// Fields of documents that others wrote: what is not there, or of another type, is empty.
//
// nlohmann's value() throws where the type is another.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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
inline nlohmann::json ObjectAt(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto field = object.find(key);
  return field != object.end() && field->is_object() ? *field : nlohmann::json();
}

// By a JSON pointer (RFC 6901): "/metadata/name".
inline std::string TextIn(const nlohmann::json& document, const char* pointer) {
  const nlohmann::json::json_pointer at(pointer);
  return document.contains(at) && document.at(at).is_string() ? document.at(at).get<std::string>()
                                                              : std::string();
}

inline bool FlagIn(const nlohmann::json& document, const char* pointer) {
  const nlohmann::json::json_pointer at(pointer);
  return document.contains(at) && document.at(at) == true;
}

inline std::vector<nlohmann::json> ItemsIn(const nlohmann::json& document, const char* pointer) {
  const nlohmann::json::json_pointer at(pointer);
  return document.contains(at) && document.at(at).is_array()
             ? document.at(at).get<std::vector<nlohmann::json>>()
             : std::vector<nlohmann::json>();
}

}  // namespace hsmops::kube
