// Policy Active: who answers reads of the live API.
#include <doctest/doctest.h>

#include <set>

#include "libhsmops/manager/live_api.h"
#include "libhsmops/net/curl_transport.h"
#include "test/net/net_cluster.h"

namespace hsmops::test {

TEST_CASE("with policy Active reads spread over the sync set, and say who answered") {
  NetCluster cluster({"a", "b", "c"}, 1);
  cluster.EditDevice({{"policy: ReadOnly", "policy: Active"}});
  REQUIRE(cluster.Becomes({"status"}, "policy Active, tolerates 2 more"));
  cluster.Must({"put", "app", "--from-literal", "k=1"});

  base::SystemClock clock;
  const std::string certs = cluster.Issue("reader", "app");
  const auto credentials = net::CredentialSource::Open(
      {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"}, clock);
  REQUIRE(credentials.ok());
  net::CurlTransport transport(**credentials, clock);
  const std::string pool = (*credentials)->Current()->identity().pool;
  const auto manager = net::Identity{pool, net::Role::kManager, "manager-1"}.Id();
  REQUIRE(manager.ok());
  net::Peer peer;
  peer.url = "https://" + cluster.ManagerAddress(1);
  peer.identity = *manager;
  manager::LiveClient client(transport, peer, clock, "default", "local", std::chrono::seconds(20));

  std::set<std::string> answered;
  for (int i = 0; i < 200 && answered.size() < 3; ++i) {
    const auto served = client.Get(*store::SecretName::Parse("app"));
    REQUIRE_MESSAGE(served.ok(), served.error().message());
    REQUIRE(served->secret.has_value());
    CHECK(served->by_primary == (served->node == "a"));
    answered.insert(served->node);
  }
  CHECK(answered == std::set<std::string>{"a", "b", "c"});
  for (int i = 0; i < 10; ++i) {
    const auto none = client.Get(*store::SecretName::Parse("nothing"));
    REQUIRE(none.ok());
    CHECK(!none->secret.has_value());
    CHECK(none->certain);
  }
}

}  // namespace hsmops::test
