// What a plain scalar means. kubectl reads YAML by a parser of the 1.1 family; the rules are its.

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 11> kTrue = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                                    "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse = {"n",     "N",     "no",  "No",  "NO", "false",
                                                     "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 12> kNotFinite = {".inf",  ".Inf",  ".INF",  "+.inf",
                                                         "+.Inf", "+.INF", "-.inf", "-.Inf",
                                                         "-.INF", ".nan",  ".NaN",  ".NAN"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<json> Integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int radix = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    radix = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'o' || mark == 'b' ? 2 : 1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  constexpr std::uint64_t kLeast = std::uint64_t{1} << 63;
  if (!negative) return value < kLeast ? json(static_cast<std::int64_t>(value)) : json(value);
  if (value > kLeast) return std::nullopt;
  return json(static_cast<std::int64_t>(0 - value));
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool LooksLikeFloat(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at - first;
  };
  const auto sign = [&] {
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  };
  sign();
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    fraction = digits();
  }
  if (whole + fraction == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    sign();
    if (digits() == 0) return false;
  }
  return at == text.size();
}

std::optional<json> Float(std::string_view text) {
  if (!LooksLikeFloat(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;  // out of range: a string
  return json(value);
}

}  // namespace

base::Result<json> ResolvePlain(std::string_view text) {
  if (std::ranges::find(kNull, text) != kNull.end()) return json();
  if (std::ranges::find(kTrue, text) != kTrue.end()) return json(true);
  if (std::ranges::find(kFalse, text) != kFalse.end()) return json(false);
  if (std::ranges::find(kNotFinite, text) != kNotFinite.end()) {
    return base::Error(base::ErrorCode::kInvalid,
                       "JSON has no infinite number and no NaN; quote it if text is meant");
  }
  const char first = text.front();
  if (IsDigit(first) || first == '-' || first == '+') {
    std::string bare(text);
    std::erase(bare, '_');
    if (auto value = Integer(bare)) return *std::move(value);
    if (auto value = Float(bare)) return *std::move(value);
  } else if (first == '.') {
    if (auto value = Float(text)) return *std::move(value);
  }
  return json(text);
}

}  // namespace hsmops::cluster
