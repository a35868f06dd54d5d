#include "libhsmops/store/label.h"

#include <fmt/format.h>

#include <charconv>

#include "libhsmops/base/encoding.h"

namespace hsmops::store {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::string_view kEpochLabel = "k1.e";

// 32 base32 digits are exactly 160 bits, so nothing is padded.
bool DecodeId(std::string_view text, Id& id) {
  std::uint64_t window = 0;
  unsigned held = 0;
  std::size_t at = 0;
  for (const char c : text) {
    std::uint64_t value = 0;
    if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint64_t>(c - 'a');
    } else if (c >= '2' && c <= '7') {
      value = static_cast<std::uint64_t>(c - '2') + 26;
    } else {
      return false;
    }
    window = window << 5 | value;
    held += 5;
    if (held >= 8) {
      held -= 8;
      id[at++] = static_cast<std::uint8_t>(window >> held);
    }
  }
  return at == id.size();
}

template <typename T>
bool Number(std::string_view text, T& value, int radix = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view Field(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('.'), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

}  // namespace

std::string Label::ToString() const {
  if (kind == Kind::kEpoch) return std::string(kEpochLabel);
  const char letter = kind == Kind::kHead ? 'h' : kind == Kind::kQuarantine ? 'q' : 'p';
  std::string text = fmt::format("k1.{}.{}.{}.{:016x}.{}", letter, base::Base32(id),
                                 version.epoch.counter, version.epoch.nonce, version.lsn);
  if (kind == Kind::kPart) text += fmt::format(".{}", part);
  return text;
}

std::optional<Label> Label::Parse(std::string_view text) {
  if (text == kEpochLabel) return Label{};
  std::string_view rest = text;
  if (Field(rest) != "k1") return std::nullopt;
  Label label;
  const std::string_view letter = Field(rest);
  if (letter == "h") {
    label.kind = Kind::kHead;
  } else if (letter == "q") {
    label.kind = Kind::kQuarantine;
  } else if (letter == "p") {
    label.kind = Kind::kPart;
  } else {
    return std::nullopt;
  }
  const std::string_view id = Field(rest);
  if (id.size() != kIdDigits || !DecodeId(id, label.id)) return std::nullopt;
  if (!Number(Field(rest), label.version.epoch.counter)) return std::nullopt;
  if (!Number(Field(rest), label.version.epoch.nonce, 16)) return std::nullopt;
  if (!Number(Field(rest), label.version.lsn)) return std::nullopt;
  if (label.kind == Kind::kPart && !Number(Field(rest), label.part)) return std::nullopt;
  if (label.ToString() != text) return std::nullopt;
  return label;
}

}  // namespace hsmops::store
