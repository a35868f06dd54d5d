// What is loaded before main, which every short command pays for (docs/adr/0029).
#include <doctest/doctest.h>

#include <algorithm>

#include "test/support/process.h"

namespace hsmops::test {

TEST_CASE("the program brings its HTTP and TLS, and loads few libraries for the rest") {
  if (!HttpIsWithinCli()) return;
  const Ended listed = Run({"ldd", CliPath()});
  REQUIRE(listed.code == 0);
  for (const char* const within : {"libcurl", "libssl", "libcrypto", "libgnutls", "libldap"})
    CHECK_MESSAGE(listed.out.find(within) == std::string::npos, listed.out);
  CHECK_MESSAGE(std::ranges::count(listed.out, '\n') <= 12, listed.out);
}

}  // namespace hsmops::test
