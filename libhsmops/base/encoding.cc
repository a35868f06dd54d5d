#include "libhsmops/base/encoding.h"

#include <array>
#include <cctype>

namespace hsmops::base {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase32Digits = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> Reverse(std::string_view digits) {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    table[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}

// Packs bytes into groups of `bits`; the last group is filled up with zero bits.
std::string Pack(ByteView bytes, unsigned bits, std::string_view digits) {
  std::string text;
  text.reserve(bytes.size() * 8 / bits + 1);
  std::uint32_t window = 0;
  unsigned held = 0;
  const std::uint32_t mask = (1U << bits) - 1;
  for (const std::uint8_t byte : bytes) {
    window = (window << 8) | byte;
    held += 8;
    for (; held >= bits; held -= bits) text += digits[(window >> (held - bits)) & mask];
  }
  if (held > 0) text += digits[(window << (bits - held)) & mask];
  return text;
}

}  // namespace

std::string Hex(ByteView bytes) { return Pack(bytes, 4, kHexDigits); }
std::string Base32(ByteView bytes) { return Pack(bytes, 5, kBase32Digits); }

std::string PercentEncoded(std::string_view text, std::string_view plain) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || plain.find(c) != std::string_view::npos)) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += "0123456789ABCDEF"[byte >> 4];
      encoded += "0123456789ABCDEF"[byte & 15];
    }
  }
  return encoded;
}

std::string Base64(ByteView bytes) {
  std::string text = Pack(bytes, 6, kBase64Digits);
  while (text.size() % 4 != 0) text += '=';
  return text;
}

Result<Bytes> FromHex(std::string_view text) {
  static constexpr auto kTable = Reverse(kHexDigits);
  if (text.size() % 2 != 0) return Error(ErrorCode::kInvalid, "hex text has an odd length");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = kTable[static_cast<unsigned char>(text[i])];
    const int low = kTable[static_cast<unsigned char>(text[i + 1])];
    if (high < 0 || low < 0) return Error(ErrorCode::kInvalid, "not lower-case hex");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

Result<SecretBytes> FromBase64(std::string_view text) {
  static constexpr auto kTable = Reverse(kBase64Digits);
  if (text.size() % 4 != 0)
    return Error(ErrorCode::kInvalid, "base64 text is not padded to a multiple of 4");
  std::size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  SecretBytes bytes;
  bytes.reserve(digits * 3 / 4);
  std::uint32_t window = 0;
  unsigned held = 0;
  for (const char c : text.substr(0, digits)) {
    const int value = kTable[static_cast<unsigned char>(c)];
    if (value < 0) return Error(ErrorCode::kInvalid, "not base64");
    window = (window << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.Append(static_cast<std::uint8_t>(window >> held));
    }
  }
  if (held > 0 && (window & ((1U << held) - 1)) != 0) {
    return Error(ErrorCode::kInvalid, "base64 text has stray bits at its end");
  }
  return bytes;
}

}  // namespace hsmops::base
