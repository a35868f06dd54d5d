#include "libhsmops/base/bytes.h"

#include <openssl/crypto.h>

namespace hsmops::base {

void Wipe(void* data, std::size_t size) {
  if (size != 0) OPENSSL_cleanse(data, size);
}

ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool Equal(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool operator==(const SecretBytes& a, const SecretBytes& b) { return Equal(a.view(), b.view()); }

}  // namespace hsmops::base
