// kill -9 of the command during a promotion, at moments spread over its length: what is left is
// finished by the next command, with one Primary, equal members and every acknowledged value.
#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "test/support/process.h"
#include "test/support/temp_folder.h"

namespace {

using hsmops::test::Ended;
using hsmops::test::TempFolder;

Ended Hsm(const TempFolder& folder, std::vector<std::string> words) {
  std::vector<std::string> argv{HSMOPS_CLI, "--local", folder / "c"};
  argv.insert(argv.end(), words.begin(), words.end());
  return hsmops::test::Run(argv);
}

std::string PrimaryOf(const TempFolder& folder) {
  return Hsm(folder, {"status", "-o", "jsonpath={.status.primaryNode}"}).out;
}

}  // namespace

TEST_CASE("a promotion killed at any moment is finished by the next one") {
  TempFolder folder;
  hsmops::test::WriteText(folder / "v", "kept");
  REQUIRE(Hsm(folder, {"init", "--nodes", "a,b,c"}).code == 0);
  REQUIRE(Hsm(folder, {"put", "app", "--from-file", "k=" + (folder / "v")}).code == 0);
  hsmops::base::SystemClock clock;
  const hsmops::base::TimePoint begin = clock.Now();
  REQUIRE(Hsm(folder, {"promote", "--to", "b"}).code == 0);
  const hsmops::base::Duration whole = clock.Now() - begin;

  constexpr int kRounds = 40;
  int killed = 0;
  int unfinished = 0;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const std::string before = PrimaryOf(folder);
    const std::string target = before == "a" ? "b" : "a";
    {
      hsmops::test::Process promote(
          {HSMOPS_CLI, "--local", folder / "c", "promote", "--to", target});
      // The moment is the point of the test, so time is waited for here.
      clock.SleepFor(whole * round / kRounds);
      promote.Signal(SIGKILL);
      killed += promote.Wait().signal == SIGKILL ? 1 : 0;
    }
    // Either verb finishes what was begun; "no change" when it was finished already.
    Ended next = Hsm(folder, {"promote", "--to", target});
    if (next.err.find("fence-point") != std::string::npos &&
        next.err.find("quiesce") == std::string::npos)
      ++unfinished;
    CHECK_MESSAGE(next.code == 0, next.err);
    CHECK(PrimaryOf(folder) == target);
    CHECK(Hsm(folder, {"get", "app", "--key", "k", "--raw"}).out == "kept");
    const Ended put = Hsm(folder, {"put", "app", "--from-file", "k=" + (folder / "v")});
    CHECK_MESSAGE(put.code == 0, put.err);
    CHECK(Hsm(folder, {"sync"}).code == 0);
    CHECK(Hsm(folder, {"diff", "a", "b"}).code == 0);
    CHECK(Hsm(folder, {"diff", "a", "c"}).code == 0);
  }
  MESSAGE(killed << " of " << kRounds << " were killed, " << unfinished
                 << " of them past the fencing point");
  CHECK(killed >= kRounds / 2);
}
