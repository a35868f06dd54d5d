// Base16, base32 and base64 (RFC 4648).
#pragma once

#include <string>
#include <string_view>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"

namespace hsmops::base {

std::string Hex(ByteView bytes);     // lower case
std::string Base32(ByteView bytes);  // lower case, no padding: fit for labels and file names
// RFC 3986 (2.1): all but letters, digits and the characters of `plain` as %XX.
std::string PercentEncoded(std::string_view text, std::string_view plain);
std::string Base64(ByteView bytes);            // with padding, as a Kubernetes Secret has it
Result<Bytes> FromHex(std::string_view text);  // kInvalid: odd length or a foreign character
Result<SecretBytes> FromBase64(
    std::string_view text);  // kInvalid: not canonical base64 with padding

}  // namespace hsmops::base
