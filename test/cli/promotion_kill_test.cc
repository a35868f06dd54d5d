// kill -9 of the command during a promotion, at moments spread over its length: what is left is
// finished by the next command, with one Primary, equal members and every acknowledged value.
#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <string>

#include "libhsmops/base/clock.h"
#include "test/support/local_cluster.h"
#include "test/support/process.h"
#include "test/support/temp_folder.h"

using hsmops::test::ClusterLook;
using hsmops::test::Ended;
using hsmops::test::LocalCluster;
using hsmops::test::TempFolder;

TEST_CASE("a promotion killed at any moment is finished by the next one") {
  TempFolder folder;
  const LocalCluster cluster(folder / "c");
  const std::map<std::string, std::string> values{{"app", "kept"}};
  hsmops::test::WriteText(folder / "v", "kept");
  REQUIRE(cluster.Hsm({"init", "--nodes", "a,b,c"}).code == 0);
  REQUIRE(cluster.Hsm({"put", "app", "--from-file", "k=" + (folder / "v")}).code == 0);
  hsmops::base::SystemClock clock;
  const hsmops::base::TimePoint begin = clock.Now();
  REQUIRE(cluster.Hsm({"promote", "--to", "b"}).code == 0);
  const hsmops::base::Duration whole = clock.Now() - begin;

  // Every other kill waits until the fencing point is on record, and a little longer each time; the
  // rest fall anywhere in the usual time.
  constexpr int kRounds = 40;
  constexpr std::chrono::milliseconds kTick{1};
  const std::string record = cluster.folder() + "/leases/default.local-primary.yaml";
  int killed = 0;
  int unfinished = 0;
  int rounds = 0;
  for (; rounds < kRounds; ++rounds) {
    const int round = rounds;
    CAPTURE(round);
    const ClusterLook before = cluster.Look({});
    const std::string target = before.holder == "a" ? "b" : "a";
    {
      hsmops::test::Process promote(cluster.Command({"promote", "--to", target}));
      // The moment is the point of the test, so time is waited for here.
      if (round % 2 == 0) {
        clock.SleepFor(whole * (round + 1) / kRounds);
      } else {
        const hsmops::base::TimePoint limit = clock.Now() + 100 * whole;
        while (hsmops::test::ReadText(record).find("Promoting") == std::string::npos &&
               clock.Now() < limit)
          clock.SleepFor(kTick / 4);
        clock.SleepFor(kTick * (round - 1) / 2);
      }
      promote.Signal(SIGKILL);
      killed += promote.Wait().signal == SIGKILL ? 1 : 0;
    }
    const ClusterLook left = cluster.Look({});
    CHECK(left.Writers().size() <= 1);
    unfinished += left.epoch > before.epoch ? 1 : 0;
    // Either verb finishes what was begun; "no change" when it was finished already.
    const Ended next = cluster.Hsm({"promote", "--to", target});
    CHECK_MESSAGE(next.code == 0, next.err);
    CHECK(cluster.Hsm({"get", "app", "--key", "k", "--raw"}).out == "kept");
    const Ended put = cluster.Hsm({"put", "app", "--from-file", "k=" + (folder / "v")});
    CHECK_MESSAGE(put.code == 0, put.err);
    CHECK(cluster.Hsm({"sync"}).code == 0);
    const ClusterLook look = cluster.Look({"app"});
    CHECK(look.holder == target);
    CHECK_MESSAGE(look.WhatIsWrong(values).empty(), look.WhatIsWrong(values));
  }
  MESSAGE(killed << " of " << rounds << " were killed, " << unfinished
                 << " of them past the fencing point");
  CHECK(killed >= kRounds / 2);
  CHECK(unfinished >= kRounds / 4);
}
