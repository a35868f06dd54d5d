// YAML as kubectl reads and writes it: JSON with another spelling.
//
// Reading: quoted scalars are always strings; plain ones become what YAML 1.1's core makes of them
// for kubectl (yes and on are true, 0x10 is 16, a date is a string). Depth, nodes and what aliases
// expand to are bounded; a key that is there twice is an error, as are control characters.
// Writing: a string that any reader, 1.1 or 1.2, could take for something else is quoted.
//
// For cluster/ and kube/. No exception leaves these functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlNodes = 200'000;  // after aliases are expanded
inline constexpr std::size_t kMaxYamlKeyBytes = 1000;  // longer ones need another syntax

// One document. nullopt-like: JSON null when the text holds none. kCorrupt: "line 3, column 7: …";
// `first_line` is the line number of the text's first line. kLimit: a bound is passed.
base::Result<nlohmann::json> ParseYaml(std::string_view text, std::size_t first_line = 1);

// A plain scalar's meaning: "yes" is true, "0x10" is 16, "1.5" a number, "2026-01-01" a string.
// kInvalid: .inf and .nan, which JSON does not have.
base::Result<nlohmann::json> ResolvePlain(std::string_view text);

// Ends with a newline; begins without "---". kLimit: too deep or a key too long; kInvalid: text
// that is not UTF-8.
base::Result<std::string> EmitYaml(const nlohmann::json& value);

}  // namespace hsmops::cluster
