// Agents as processes, and the command line that works with them.
#include <doctest/doctest.h>

#include <csignal>

#include "test/net/net_cluster.h"

namespace hsmops::test {

TEST_CASE("without a manager the command line writes, reads and promotes over agents by itself") {
  NetCluster cluster({"a", "b", "c"}, 0);
  cluster.Must({"put", "app/db", "--from-literal", "k=one"});
  CHECK(cluster.Value("app/db") == "one");
  CHECK(cluster.Must({"list"}).find("full") != std::string::npos);
  cluster.Must({"promote", "--to", "b"});
  cluster.Must({"put", "app/db", "--from-literal", "k=two"});
  CHECK(cluster.Value("app/db") == "two");
  cluster.Agent("b").Signal(SIGKILL);
  CHECK(cluster.Agent("b").Wait().signal == SIGKILL);
  cluster.Must({"failover", "--to", "c"});
  CHECK(cluster.Value("app/db") == "two");
  cluster.StartAgent("b");
  cluster.Must({"sync"});
  CHECK(cluster.Must({"diff", "b", "c"}).find("equal") != std::string::npos);
  // SIGTERM ends an agent in order.
  cluster.Agent("a").Signal(SIGTERM);
  const Ended ended = cluster.Agent("a").Wait();
  CHECK(ended.code == 0);
  CHECK(ended.err.find("no write is in flight") != std::string::npos);
}

TEST_CASE(
    "an agent answers nobody without a certificate of its pool, nor a role that may not ask") {
  NetCluster cluster({"a"}, 0);
  cluster.Must({"certs", "issue", "--reader", "app"});
  const std::string reader = cluster.folder() + "/certs/reader-app";
  const std::vector<std::string> as_reader{
      "--certificate-authority", reader + "/ca.crt", "--client-certificate",
      reader + "/tls.crt",       "--client-key",     reader + "/tls.key"};
  std::vector<std::string> words{"put", "app", "--from-literal", "k=1"};
  words.insert(words.end(), as_reader.begin(), as_reader.end());
  const Ended refused = cluster.Hsm(words);
  CHECK(refused.code == 1);
  CHECK(refused.err.find("the role reader may not ask") != std::string::npos);
  cluster.Must({"put", "app", "--from-literal", "k=1"});
  CHECK(cluster.Value("app") == "1");
}

}  // namespace hsmops::test
