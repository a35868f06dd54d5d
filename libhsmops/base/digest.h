// SHA-256 (FIPS 180-4), by OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "libhsmops/base/bytes.h"

namespace hsmops::base {

using Digest = std::array<std::uint8_t, 32>;

Digest Sha256(ByteView bytes);
// Of the pieces one after the other, as if they were joined.
Digest Sha256(std::initializer_list<ByteView> pieces);

}  // namespace hsmops::base
