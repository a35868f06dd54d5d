// The suite of every ResourceStore, on a real API server.
#include <vector>

#include "libhsmops/kube/kube_resource_store.h"
#include "test/kube/shared_server.h"
#include "test/support/store_conformance.h"

namespace hsmops::cluster::conformance {
namespace {

constexpr Kind kOurKinds[] = {Kind::kHsmDevice, Kind::kHsmSecret, Kind::kHsmOperation};

struct KubeWorld {
  base::SystemClock clock;
  test::SharedServer& scene = test::SharedServer::The();
  test::Network::Visit there{scene.network, "client"};
  std::vector<std::unique_ptr<kube::KubeResourceStore>> views;
  KubeWorld() {
    MakeNamespace(std::string(kNs));
    ResourceStore& store = another();
    for (const Kind kind : kOurKinds) {
      for (const Object& old : Must(store.List(kind, "")).items)
        REQUIRE(store.Delete(kind, old.key().ns, old.key().name, std::nullopt).ok());
    }
    for (const Object& old : Must(store.List(Kind::kLease, kNs)).items)
      REQUIRE(store.Delete(Kind::kLease, kNs, old.key().name, std::nullopt).ok());
  }
  void MakeNamespace(const std::string& ns) {
    const test::Ended made = scene.server.Kubectl({"create", "namespace", ns});
    REQUIRE_MESSAGE((made.code == 0 || made.err.find("AlreadyExists") != std::string::npos),
                    made.err);
  }
  ResourceStore& first() { return *views.front(); }
  ResourceStore& another() {
    const std::string file = scene.server.Kubeconfig("admin");
    kube::ClientConfig config = Must(kube::ClientConfig::Find({.kubeconfig = file}, {}));
    auto client = Must(kube::RestClient::Open(std::move(config), {}, false, clock));
    return *views.emplace_back(std::make_unique<kube::KubeResourceStore>(std::move(client), clock));
  }
};

}  // namespace

HSMOPS_STORE_CONFORMANCE(KubeWorld);

}  // namespace hsmops::cluster::conformance
