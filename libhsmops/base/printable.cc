#include "libhsmops/base/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace hsmops::base {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;  // 0: not well-formed here
};

CodePoint Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  std::uint32_t value = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size};
}

bool MayBePrinted(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
  if (c >= 0x202A && c <= 0x202E) return false;  // bidirectional embedding and override
  if (c >= 0x2066 && c <= 0x2069) return false;  // bidirectional isolates
  return c != 0x2028 && c != 0x2029;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = Decode(text);
    if (c.size == 0) {
      out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (MayBePrinted(c.value)) {
      out += text.substr(0, c.size);
    } else if (c.value < 0x100) {
      out += fmt::format("\\x{:02x}", c.value);
    } else {
      out += fmt::format("\\u{{{:x}}}", c.value);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = Decode(text);
    if (c.size == 0) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

}  // namespace hsmops::base
