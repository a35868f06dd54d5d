// Label: the CKA_LABEL of our objects. It says where to look; it proves nothing (protocol.md, 1).
//
//   k1.h.<id>.<counter>.<nonce>.<lsn>        HEAD
//   k1.q.<id>.<counter>.<nonce>.<lsn>        HEAD in quarantine
//   k1.p.<id>.<counter>.<nonce>.<lsn>.<i>    PART i, from 0
//   k1.e                                     EPOCH
// <id> is base32 in lower case (32 characters), <nonce> 16 hex digits, the rest decimal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libhsmops/store/secret.h"

namespace hsmops::store {

inline constexpr std::string_view kApplication = "khsm1";

struct Label {
  enum class Kind : std::uint8_t { kHead, kQuarantine, kPart, kEpoch };
  Kind kind = Kind::kEpoch;
  Id id{};
  Version version;
  std::uint32_t part = 0;

  std::string ToString() const;
  // nullopt: not a label of ours. Only the exact text that ToString gives is taken.
  static std::optional<Label> Parse(std::string_view text);
};

}  // namespace hsmops::store
