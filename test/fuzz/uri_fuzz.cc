// PKCS#11 URIs: the canonical text of what is taken gives the same again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libhsmops/token/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hsmops::token::Uri;
  const auto uri = Uri::Parse({reinterpret_cast<const char*>(data), size});
  if (!uri.ok()) return 0;
  const auto again = Uri::Parse(uri->ToString());
  if (!again.ok() || !(*again == *uri)) std::abort();
  return 0;
}
