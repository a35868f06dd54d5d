// Standard output that nobody reads any more.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include "test/support/process.h"

namespace hsmops::test {

TEST_CASE("what only looks ends without a word where its pipe was closed, as kubectl does") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  const Ended ended =
      Run({"sh", "-c", fmt::format("exec \"$0\" list --help >&{}", ends[1]), CliPath()});
  close(ends[1]);
  CHECK(ended.code == 141);
  CHECK(ended.err.empty());
}

}  // namespace hsmops::test
