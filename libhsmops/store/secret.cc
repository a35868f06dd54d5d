#include "libhsmops/store/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

Error WrongName(std::string_view name, std::string_view why) {
  return {ErrorCode::kInvalid, fmt::format("secret name \"{}\": {}; use segments of a-z, 0-9, "
                                           "\"-\", \".\" and \"_\" that begin and end with "
                                           "a letter or digit, joined by \"/\"",
                                           base::Printable(name.substr(0, 80)), why)};
}

// Consumes a number; false when there is none or it does not fit.
bool TakeNumber(std::string_view& text, std::uint64_t& value, int radix = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (error != std::errc() || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool TakeDot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

std::string UuidForm(base::ByteView bytes) {
  std::string text = base::Hex(bytes);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  return text;
}

Result<std::array<std::uint8_t, 16>> ParseUuid(std::string_view text, std::string_view what) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) digits.clear();
    if (!dash) digits += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
  }
  auto bytes = base::FromHex(digits);
  if (text.size() != 36 || !bytes.ok() || bytes->size() != 16) {
    return Error(
        ErrorCode::kInvalid,
        fmt::format("{} is not a UUID such as 123e4567-e89b-42d3-a456-426614174000", what));
  }
  std::array<std::uint8_t, 16> out{};
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

}  // namespace

Result<SecretName> SecretName::Parse(std::string_view text) {
  if (text.empty()) return WrongName(text, "is empty");
  if (text.size() > kMaxNameBytes)
    return WrongName(
        text, fmt::format("has {} bytes, at most {} are allowed", text.size(), kMaxNameBytes));
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('/', start), text.size());
    const std::string_view segment = text.substr(start, end - start);
    if (segment.empty()) return WrongName(text, "has an empty segment");
    for (const char c : segment) {
      if (!IsLowerOrDigit(c) && c != '-' && c != '.' && c != '_') {
        return WrongName(
            text, fmt::format("\"{}\" is not allowed", base::Printable(std::string_view(&c, 1))));
      }
    }
    if (!IsLowerOrDigit(segment.front()) || !IsLowerOrDigit(segment.back())) {
      return WrongName(text, fmt::format("segment \"{}\" must begin and end with a letter or digit",
                                         segment.substr(0, 40)));
    }
    start = end + 1;
  }
  return SecretName(std::string(text));
}

Result<void> CheckKeyName(std::string_view key) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
  };
  if (key.empty() || key.size() > kMaxKeyNameBytes || key == "." || key == ".." ||
      !std::all_of(key.begin(), key.end(), allowed)) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("key \"{}\": must be 1 to {} of A-Z, a-z, 0-9, \"-\", \".\" and "
                             "\"_\", and not \".\" or \"..\"",
                             base::Printable(key.substr(0, 80)), kMaxKeyNameBytes));
  }
  return {};
}

std::string Epoch::ToString() const { return fmt::format("{}.{:016x}", counter, nonce); }
std::string Version::ToString() const { return fmt::format("{}.{}", epoch.counter, lsn); }
std::string Version::Full() const {
  return fmt::format("{}.{}.{:016x}", epoch.counter, lsn, epoch.nonce);
}

Result<Expectation> Expectation::Parse(std::string_view text) {
  const Error wrong(
      ErrorCode::kInvalid,
      fmt::format("version \"{}\" is not of the form 3.142, as get and list show it, or absent",
                  base::Printable(text.substr(0, 80))));
  Expectation e;
  if (text == "absent") {
    e.absent = true;
    return e;
  }
  if (!TakeNumber(text, e.counter) || !TakeDot(text) || !TakeNumber(text, e.lsn)) return wrong;
  if (text.empty()) return e;
  std::uint64_t nonce = 0;
  if (!TakeDot(text) || text.size() != 16 || !TakeNumber(text, nonce, 16) || !text.empty())
    return wrong;
  e.nonce = nonce;
  return e;
}

bool Expectation::Met(const std::optional<Version>& current) const {
  if (absent || !current) return absent && !current;
  return counter == current->epoch.counter && lsn == current->lsn &&
         (!nonce || *nonce == current->epoch.nonce);
}

std::string Expectation::ToString() const {
  return absent ? "absent" : fmt::format("{}.{}", counter, lsn);
}

std::string OpIdText(const OpId& id) { return UuidForm(id); }
Result<OpId> ParseOpId(std::string_view text) { return ParseUuid(text, "operation id"); }
Uid MemberUid(const Uid& pool, std::string_view node) {
  const base::Digest digest = base::Sha256({pool, base::AsBytes("member"), base::AsBytes(node)});
  Uid uid{};
  std::copy_n(digest.begin(), uid.size(), uid.begin());
  return uid;
}

std::string UidText(const Uid& uid) { return UuidForm(uid); }
Result<Uid> ParseUid(std::string_view text) { return ParseUuid(text, "uid"); }

Keys Clone(const Keys& keys) {
  Keys copy;
  for (const auto& [key, value] : keys) copy.emplace(key, value.Clone());
  return copy;
}

Id IdOf(const Uid& pool, const SecretName& name) {
  const base::Digest digest = base::Sha256({pool, base::AsBytes(name.text())});
  Id id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

}  // namespace hsmops::store
