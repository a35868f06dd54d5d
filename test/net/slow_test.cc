// Peers that are slow on purpose, while others work.
#include <doctest/doctest.h>

#include "test/net/loris.h"
#include "test/net/scene.h"

namespace hsmops::test {

TEST_CASE("under load peers that hardly say anything cost the others nothing") {
  Scene scene;
  scene.Burden();
  const std::string certs = scene.cluster().Issue("reader", "loris");
  std::vector<std::string> addresses;
  for (const std::string& node : scene.cluster().nodes())
    addresses.push_back(scene.cluster().AddressOf(node));
  for (const int number : scene.cluster().managers())
    addresses.push_back(scene.cluster().ManagerAddress(number));
  const std::string primary = scene.Primary();
  {
    const Loris loris(scene.network(), "client", addresses,
                      {certs + "/ca.crt", certs + "/tls.crt", certs + "/tls.key"}, 20);
    scene.Until("some were thrown out", [&] { return loris.thrown_out() > 100; });
    scene.Burden();
    CHECK(scene.Primary() == primary);
  }
  scene.Recovers();
  scene.Ends();
}

}  // namespace hsmops::test
