// What a person does with devices of a real API server: agents and managers are real processes.
#include <doctest/doctest.h>

#include <csignal>

#include "test/kube/kube_cluster.h"

namespace hsmops::test {
namespace {

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a device that is applied is enrolled, promoted by hand, and fails over by itself") {
  KubeCluster cluster({"a", "b", "c"}, 2);
  const Ended none = cluster.Hsm({"health"});
  CHECK(none.code == 4);
  CHECK_MESSAGE(Holds(none.err, "no HSMDevice in namespace hsm-system"), none.err);
  cluster.ApplyDevice();
  cluster.Until({"health"}, 0, "payments: healthy; Primary a, 3 of 3 members up");
  CHECK(Holds(cluster.Hsm({"status"}).out, "as of "));

  const Ended promoted = cluster.Hsm({"promote", "--to", "b", "--yes"});
  CHECK_MESSAGE(promoted.code == 0, promoted.out, promoted.err);
  CHECK_MESSAGE(Holds(promoted.out, "b is the Primary of epoch 2"), promoted.out, promoted.err);
  CHECK(Holds(cluster.Kubectl({"get", "hsmdevice", "-o", "wide"}), "payments"));
  CHECK(Holds(cluster.Kubectl({"get", "hsmoperations"}), "Promote"));

  cluster.Agent("b").Signal(SIGKILL);
  const Ended history = cluster.Until({"history"}, 0, "Failover");
  CHECK_MESSAGE(Holds(history.out, "Succeeded"), history.out);
  cluster.Until({"health"}, 0, "2 of 3 members up");
  CHECK(Holds(cluster.Kubectl({"get", "events", "--field-selector", "reason=HSMFailover"}),
              "Failover from b to"));
  const std::string described = cluster.Kubectl({"describe", "hsmdevice", "payments"});
  CHECK_MESSAGE(Holds(described, "Failover Count"), described);
}

}  // namespace hsmops::test
