// Found by uri_fuzz: a PIN file's path that begins with two slashes lost them on its way through
// the canonical URI, and that was refused where the token's process read it.
#include <doctest/doctest.h>

#include "libhsmops/token/uri.h"

namespace hsmops::test {

TEST_CASE(
    "a pin-source keeps its path through the canonical URI, however many slashes it begins with") {
  for (const char* source :
       {"/pin", "//pin", "///pin", "file:/pin", "file:///pin", "file:////pin"}) {
    const auto uri =
        token::Uri::Parse(std::string("pkcs11:token=a?module-path=/m.so&pin-source=") + source);
    REQUIRE(uri.ok());
    const auto again = token::Uri::Parse(uri->ToString());
    REQUIRE(again.ok());
    CHECK(again->pin_path == uri->pin_path);
  }
}

}  // namespace hsmops::test
