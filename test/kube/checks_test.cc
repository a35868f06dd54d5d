// What the checks of this tier are there to find, they find.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <thread>

#include "libhsmops/base/mutant.h"
#include "test/kube/primary_watch.h"
#include "test/kube/put_load.h"

namespace hsmops::test {

TEST_CASE("a promotion that does not wait for the old grant is seen: two take writes") {
  KubeCluster cluster(
      {"a", "b", "c"}, 2, ManagersGo::kStraight,
      {{"KHSM_MUTANT", fmt::format("{}", static_cast<int>(base::Mutant::kNoWait))}});
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  const PrimaryWatch watch(cluster);
  // The other one goes on renewing a's grant, until R says that it is no longer the Primary.
  cluster.network().Refuse(fmt::format("manager-{}", cluster.Leader()), "a");
  cluster.Until({"history"}, 0, "Failover");
  CHECK(watch.Two() != "");
}

TEST_CASE("what was acknowledged and is gone, or another, is told") {
  KubeCluster cluster({"a", "b"}, 1);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a");
  PutLoad load(cluster);
  REQUIRE(load.Acknowledges(8));  // of each of its names
  load.End();
  CHECK(load.Wrong() == "");
  REQUIRE(cluster.Hsm({"delete", "load/1", "--yes"}, "owner").code == 0);
  REQUIRE(cluster.HsmWith("0", {"put", "load/2", "--stdin-key", "n"}).code == 0);
  const std::string wrong = load.Wrong();
  CAPTURE(wrong);
  CHECK(wrong.find("load/0") == std::string::npos);
  CHECK(wrong.find("load/1") != std::string::npos);
  CHECK(wrong.find("load/2") != std::string::npos);
}

}  // namespace hsmops::test
