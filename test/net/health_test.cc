// What health and check say of a device that managers look after, while they do, while they act,
// and when they are gone.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>

#include "test/net/net_cluster.h"

namespace hsmops::test {
namespace {

bool Says(const Ended& ended, const std::string& what) {
  return (ended.out + ended.err).find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a failover that a manager carries out is waited for, and holds back the next one") {
  NetCluster cluster({"a", "b", "c"}, 1);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 2 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  CHECK(cluster.Must({"check", "--for", "failover"}).find("not by itself") == std::string::npos);
  CHECK(cluster.Must({"ack"}).find("no change") != std::string::npos);
  cluster.Must({"promote", "--to", "b"});
  cluster.Must({"promote", "--to", "a"});
  // Promotions that were planned hold nothing back.
  CHECK(cluster.Must({"check", "--for", "failover"}).find("not by itself") == std::string::npos);
  CHECK_FALSE(Says(cluster.Hsm({"health"}), "FailoverHeld"));
  cluster.Agent("a").Signal(SIGKILL);
  const Ended during = cluster.Until({"health"}, 3, "FailingOver");
  CHECK(Says(during, "operation wait local-failover-"));
  CHECK_FALSE(Says(during, "cut short"));
  // It was asked for while another was under way, which does what it asks for.
  const Ended typed = cluster.Hsm({"failover"});
  CHECK_MESSAGE(typed.code == 0, typed.out, typed.err);
  CHECK(Says(typed, "no change"));
  // Its log tells the steps as they come.
  CHECK(cluster.Manager(1).WaitFor(" begins: Primary a is unhealthy"));
  CHECK(cluster.Manager(1).WaitFor(": fence-point: epoch"));
  cluster.StartAgent("a");
  const Ended after = cluster.Until({"health"}, 0, "FailoverHeld");
  CHECK(Says(after, "minInterval"));
  cluster.Until({"check", "--for", "failover"}, 0, "; not by itself: the last failover was at ");
  CHECK(cluster.Must({"ack"}).find("acknowledged") != std::string::npos);
  CHECK_FALSE(Says(cluster.Hsm({"health"}), "FailoverHeld"));
  CHECK(cluster.Must({"check", "--for", "failover"}).find("not by itself") == std::string::npos);
}

TEST_CASE("a device whose managers are gone takes no writes, and is not healthy") {
  NetCluster cluster({"a", "b"}, 2);
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  cluster.Must({"check", "--for", "write"});
  cluster.Must({"health"});
  cluster.Must({"pause", "--reason", "a look", "--for", "1h"});
  const Ended paused = cluster.Hsm({"check", "--for", "write"});
  CHECK(paused.err.find("paused by") == paused.err.rfind("paused by"));  // told once
  CHECK(Says(paused, "paused by"));
  cluster.Must({"resume"});
  for (const int number : cluster.managers()) cluster.StopManager(number);
  // At once, as a put would: the grant goes on for a while.
  const Ended at_once = cluster.Hsm({"check", "--for", "write", "--timeout", "2s"});
  CHECK_MESSAGE(at_once.code == 3, at_once.out, at_once.err);
  CHECK(Says(at_once, "no manager could do it"));
  cluster.Until({"health"}, 3, "NoGrant");
  cluster.Until({"check", "--for", "write"}, 3, "no: it has no grant");
  CHECK(cluster.Hsm({"put", "app", "--from-literal", "k=2"}).code != 0);
  for (const int number : cluster.managers()) cluster.Manager(number).Signal(SIGCONT);
  cluster.Until({"health"}, 0, "healthy");
  cluster.Must({"check", "--for", "write"});
  cluster.Must({"put", "app", "--from-literal", "k=2"});
  cluster.Agent("b").Signal(SIGKILL);
  cluster.Until({"put", "app", "--from-literal", "k=2"}, 0, "only a has confirmed 1 of 1 writes");
  cluster.StartAgent("b");
  REQUIRE(cluster.Becomes({"status"}, "tolerates 1 more"));

  for (const int number : cluster.managers()) cluster.Manager(number).Signal(SIGKILL);
  cluster.Until({"health"}, 3, "NoManager");
  // When nobody is believed to serve any more, a command with a manager's certificate gives the
  // Primary a grant of its own.
  cluster.Until({"check", "--for", "write"}, 0, "by a grant of the command's own");
  CHECK(Says(cluster.Hsm({"check", "--for", "failover"}), "; not by itself: no manager leads"));
  cluster.Must({"put", "app", "--from-literal", "k=3"});
  CHECK(cluster.Value("app") == "3");
}

}  // namespace hsmops::test
