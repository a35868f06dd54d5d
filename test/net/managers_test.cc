// Agents and managers as processes: who is killed, and what goes on.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include "test/net/net_cluster.h"

namespace hsmops::test {

TEST_CASE("the Primary's agent is killed: a mirror takes over by itself, and nothing is lost") {
  NetCluster cluster({"a", "b", "c"}, 3);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 2 more"));
  cluster.Must({"put", "app/db", "--from-literal", "k=one"});
  cluster.Agent("a").Signal(SIGKILL);
  REQUIRE(cluster.Becomes({"history"}, "Succeeded"));
  CHECK(cluster.Value("app/db") == "one");
  cluster.Must({"put", "app/db", "--from-literal", "k=two"});
  cluster.StartAgent("a");
  CHECK(cluster.Becomes({"diff", "a", "b"}, "equal"));
  CHECK(cluster.Becomes({"diff", "a", "c"}, "equal"));
  CHECK(cluster.Value("app/db") == "two");
}

TEST_CASE("what acts is handed to the manager that leads, and outlives the one that led before") {
  NetCluster cluster({"a", "b"}, 2);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  CHECK(cluster.Must({"promote", "--to", "b"}).find("b is the Primary") != std::string::npos);
  CHECK(cluster.Value("app") == "1");
  cluster.Must({"sync"});
  CHECK(cluster.Must({"pause", "--for", "1h", "--reason", "test"}).find("paused") !=
        std::string::npos);
  cluster.Must({"resume"});
  const Ended refused = cluster.Hsm({"failover", "--to", "a"});
  CHECK(refused.code == 5);
  cluster.Manager(1).Signal(SIGKILL);
  CHECK(cluster.Manager(1).Wait().signal == SIGKILL);
  cluster.Must({"put", "app", "--from-literal", "k=2"});
  CHECK(cluster.Must({"promote", "--to", "a"}).find("a is the Primary") != std::string::npos);
  CHECK(cluster.Value("app") == "2");
}

TEST_CASE("Ctrl-C detaches from an operation that a manager does, and says so") {
  NetCluster cluster({"a", "b", "c"}, 1);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 2 more"));
  cluster.Must({"pause", "--for", "1h", "--reason", "this test promotes"});
  cluster.Agent("a").Signal(SIGKILL);
  REQUIRE(cluster.Agent("a").Wait().signal == SIGKILL);
  // It waits for the grant of the one that is gone: long enough to be interrupted.
  Process failover(
      {CliPath(), "--local", cluster.folder(), "failover", "--to", "b", "--reason", "a is gone"});
  REQUIRE(failover.WaitFor("wait: a does not answer", std::chrono::seconds(40)));
  failover.Signal(SIGINT);
  const Ended ended = failover.Wait();
  CHECK(ended.code == 130);
  const std::string mark = "detached: ";
  const std::size_t at = ended.err.find(mark);
  REQUIRE_MESSAGE(at != std::string::npos, ended.err);
  const std::string name =
      ended.err.substr(at + mark.size(), ended.err.find(' ', at + mark.size()) - at - mark.size());
  CHECK(cluster.Must({"operation", "wait", name}).find("b is the Primary") != std::string::npos);
}

TEST_CASE("an operation that does not parse keeps nobody from taking over, and is told of") {
  NetCluster cluster({"a", "b", "c"}, 2, {.brisk = true});
  REQUIRE(cluster.Becomes({"status"}, "tolerates 2 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  const std::string bad = cluster.folder() + "/hsmoperations/bad.yaml";
  cluster.Must({"sync"});  // which makes the folder
  WriteText(bad, "a: [");
  cluster.Until({"health", "--fail-on", "degraded"}, 3, "OperationsUnreadable");
  cluster.Manager(cluster.Leader()).Signal(SIGKILL);
  cluster.Agent("a").Signal(SIGKILL);
  CHECK(cluster.Becomes({"history"}, "Succeeded"));
  CHECK(cluster.Value("app") == "1");
  std::filesystem::remove(bad);
  cluster.Must({"put", "app", "--from-literal", "k=2"});
}

TEST_CASE("a verification of a mirror that hangs keeps nobody from taking over") {
  NetCluster cluster({"a", "b", "c"}, 1, {.brisk = true});
  REQUIRE(cluster.Becomes({"status"}, "tolerates 2 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  cluster.Arm("c", "verification-begun");
  Process full({CliPath(), "--local", cluster.folder(), "sync", "--full"});
  cluster.UntilStoppedAt("c", "verification-begun");  // it would be waited for ten minutes
  REQUIRE(cluster.Manager(1).WaitFor("c left the sync set", std::chrono::seconds(60)));
  cluster.Agent("a").Signal(SIGKILL);
  // Each look waits for c.
  bool done = false;
  for (int tries = 0; tries < 3 && !done; ++tries) done = cluster.Becomes({"history"}, "Succeeded");
  CHECK(done);
  CHECK(cluster.Value("app") == "1");
  full.Signal(SIGINT);
  CHECK(full.Wait().code == 130);
}

}  // namespace hsmops::test
