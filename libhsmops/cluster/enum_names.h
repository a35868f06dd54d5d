// Enumerations that have names in resources: one table each, read in both directions.
//
// An enumeration takes part by a function `std::span<const Named<E>> NamesOf(E)` beside it. Its
// first entry is what messages list first; an entry may have the empty name ("not set").
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "libhsmops/base/printable.h"
#include "libhsmops/base/result.h"

namespace hsmops::cluster {

template <typename E>
struct Named {
  E value;
  std::string_view name;
};

template <typename E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) { NamesOf(e); };

// The name as it stands in YAML: Name(MirroringPolicy::kReadOnly) is "ReadOnly".
template <NamedEnum E>
std::string_view Name(E value) {
  for (const Named<E>& entry : NamesOf(value)) {
    if (entry.value == value) return entry.name;
  }
  HSM_CHECK(!"every enumerator has a name");
  return {};
}

// kInvalid: `"Foo" is not one of None, ReadOnly, Active`. Names are matched exactly.
template <NamedEnum E>
base::Result<E> FromName(std::string_view text) {
  std::string allowed;
  for (const Named<E>& entry : NamesOf(E{})) {
    if (entry.name == text) return entry.value;
    if (entry.name.empty()) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += entry.name;
  }
  return base::Error(
      base::ErrorCode::kInvalid,
      fmt::format("\"{}\" is not one of {}", base::Printable(text.substr(0, 64)), allowed));
}

}  // namespace hsmops::cluster
