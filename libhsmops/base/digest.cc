#include "libhsmops/base/digest.h"

#include <openssl/evp.h>

#include <memory>

#include "libhsmops/base/check.h"

namespace hsmops::base {

Digest Sha256(std::initializer_list<ByteView> pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> ctx(EVP_MD_CTX_new(),
                                                                    EVP_MD_CTX_free);
  HSM_CHECK(ctx != nullptr && EVP_DigestInit_ex(ctx.get(), EVP_sha256(), nullptr) == 1);
  for (const ByteView piece : pieces) {
    HSM_CHECK(EVP_DigestUpdate(ctx.get(), piece.data(), piece.size()) == 1);
  }
  Digest digest;
  unsigned int size = 0;
  HSM_CHECK(EVP_DigestFinal_ex(ctx.get(), digest.data(), &size) == 1 && size == digest.size());
  return digest;
}

Digest Sha256(ByteView bytes) { return Sha256({bytes}); }

}  // namespace hsmops::base
