// Health pages and metrics of real agents and managers, as kubelet and Prometheus ask for them.
#include <doctest/doctest.h>

#include <csignal>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "test/net/net_cluster.h"
#include "test/support/fetch.h"

namespace hsmops::test {

TEST_CASE("agents and managers show their health and their metrics") {
  NetCluster cluster({"a", "b"}, 1);
  cluster.Must({"put", "app", "--from-literal", "k=hidden-value"});
  CHECK(cluster.BecomesPage(cluster.AgentPages("a") + "/primary", 200, "it takes writes"));
  CHECK(cluster.BecomesPage(cluster.AgentPages("b") + "/primary", 503, "no grant"));
  CHECK(cluster.BecomesPage(cluster.AgentPages("b") + "/health", 200, "1 secrets"));
  const std::string manager = cluster.ManagerPages(1);
  CHECK(cluster.BecomesPage(manager + "/health/lease", 200, "leads"));
  CHECK(cluster.BecomesPage(manager + "/health", 200, "every copy is equal"));
  CHECK(cluster.BecomesPage(manager + "/metrics", 200, "hsm_device_up{namespace"));
  const Fetched agent = Fetch(cluster.AgentPages("a") + "/metrics");
  for (const char* series :
       {"pkcs11_call_duration_seconds_count{function=\"C_CreateObject\"", "route=\"put\"}",
        "hsm_device_up{node=\"a\"} 1", "hsm_gate_open{node=\"a\"} 1",
        "hsm_certificate_not_after_timestamp_seconds"})
    CHECK_MESSAGE(agent.body.find(series) != std::string::npos, std::string(series));
  CHECK(agent.body.find("hidden-value") == std::string::npos);
  for (const char* series :
       {"leader 1", "hsm_secrets{namespace=\"default\",device=\"local\",state=\"full\"} 1",
        "hsm_replication_lag_versions{", "hsm_failover_candidates{", "hsm_epoch{", "hsm_paused{",
        "hsm_controller_turn_duration_seconds_count{device=\"local\",namespace=\"default\"}"})
    CHECK_MESSAGE(cluster.BecomesPage(manager + "/metrics", 200, series), std::string(series));

  cluster.Agent("b").Signal(SIGKILL);
  CHECK(cluster.BecomesPage(manager + "/health/device/b", 503, "failing"));
  CHECK(cluster.BecomesPage(manager + "/health/device/a", 200, "ok"));
  // The loss of a device is no reason to restart a manager.
  CHECK(Fetch(manager + "/livez").status == 200);
  CHECK(Fetch(manager + "/readyz").status == 200);
  cluster.Must({"promote", "--to", "a"});
  cluster.StartAgent("b");
  CHECK(cluster.BecomesPage(manager + "/health", 200, "every copy is equal"));
  cluster.Must({"promote", "--to", "b"});
  CHECK(cluster.BecomesPage(manager + "/metrics", 200,
                            "hsm_failover_total{device=\"local\",kind=\"Promote\","
                            "namespace=\"default\",outcome=\"Succeeded\"} 1"));
  CHECK(cluster.BecomesPage(cluster.AgentPages("b") + "/primary", 200, "it takes writes"));
}

TEST_CASE(
    "a device whose spec does not parse is in no page equal, and no command's usage is wrong") {
  NetCluster cluster({"a", "b"}, 1);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  const std::string manager = cluster.ManagerPages(1);
  CHECK(cluster.BecomesPage(manager + "/health", 200, "every copy is equal"));
  cluster.EditDevice({{"mode: Auto", "mode: Off"}});
  CHECK(cluster.BecomesPage(manager + "/health/resources", 503, "write the word in quotes"));
  CHECK(Fetch(manager + "/health").status == 503);
  CHECK(Fetch(manager + "/readyz").status == 503);
  const Ended get = cluster.Hsm({"get", "app"});
  CHECK(get.code == 1);
  CHECK_MESSAGE(get.err.find("HSMDevice default/local: spec.mirroring.failover.mode: false") !=
                    std::string::npos,
                get.err);
  cluster.EditDevice({{"mode: Off", "mode: \"Off\""}});
  CHECK(cluster.BecomesPage(manager + "/health", 200, "every copy is equal"));
}

TEST_CASE("who looks at a device behind agents waits for nobody who acts on it") {
  NetCluster cluster({"a", "b"}, 1);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  base::SystemClock clock;
  const auto busy = base::FileLock::Take(cluster.folder() + "/.locks/default.local", "a test",
                                         clock, clock.Now() + std::chrono::seconds(5));
  REQUIRE_MESSAGE(busy.ok(), busy.error().message());
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"status"}, {"health"}, {"list"}, {"check"}, {"diff", "a", "b"}}) {
    const Ended looked = cluster.Hsm(words, std::chrono::seconds(8));
    CHECK_MESSAGE(looked.code == 0, words.front(), looked.err);
  }
}

}  // namespace hsmops::test
