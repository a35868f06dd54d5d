#include "libhsmops/base/rng.h"

#include <openssl/rand.h>

#include "libhsmops/base/check.h"
#include "libhsmops/base/encoding.h"

namespace hsmops::base {

std::uint64_t Rng::U64() {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : Array<8>()) value = value << 8 | byte;
  return value;
}

std::uint64_t Rng::Below(std::uint64_t bound) {
  HSM_CHECK(bound > 0);
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = U64();
  while (value >= limit) value = U64();
  return value % bound;
}

void SystemRng::Fill(std::span<std::uint8_t> out) {
  HSM_CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

void SeededRng::Fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
}

std::string Uuid(Rng& rng) {
  auto bytes = rng.Array<16>();
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text = Hex(bytes);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  return text;
}

}  // namespace hsmops::base
