// What a user of the older operator of this group has: manifests/samples with the real kubectl, and
// objects that are in the cluster already.
#include <doctest/doctest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/kube_resource_store.h"
#include "test/kube/shared_server.h"

namespace hsmops::test {
namespace {

using nlohmann::json;

std::string Samples() { return TestFolder() + "/../manifests/samples"; }

struct Store {
  base::SystemClock clock;
  std::unique_ptr<kube::KubeResourceStore> store;

  explicit Store(ApiServer& server) {
    auto config =
        kube::ClientConfig::Find({.kubeconfig = server.Kubeconfig("admin", "samples")}, {});
    REQUIRE_MESSAGE(config.ok(), config.error().message());
    auto client = kube::RestClient::Open(*std::move(config), {}, false, clock);
    REQUIRE_MESSAGE(client.ok(), client.error().message());
    store = std::make_unique<kube::KubeResourceStore>(*std::move(client), clock);
  }

  template <typename T>
  std::map<std::string, T> All() {
    auto loaded = cluster::LoadAll<T>(*store, "samples");
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message());
    for (const base::Error& refused : loaded->refused) FAIL_CHECK(refused.message());
    std::map<std::string, T> by_name;
    for (T& item : loaded->items) by_name.emplace(item.metadata.name, item);
    return by_name;
  }
};

}  // namespace

TEST_CASE("samples: the real kubectl applies each, no field is refused or lost, and we read them") {
  SharedServer& shared = SharedServer::The();
  const Network::Visit there(shared.network, "client");
  ApiServer& server = shared.server;
  server.Must({"create", "namespace", "samples"});
  // Strict, as kubectl is by default: a field that the schema does not have is an error.
  const std::string applied =
      server.Must({"apply", "-n", "samples", "--validate=strict", "-f", Samples()});
  for (const char* const name :
       {"hsmdevice.hsm.j5t.io/build-signing", "hsmdevice.hsm.j5t.io/archive ",
        "hsmdevice.hsm.j5t.io/archive-serial", "hsmdevice.hsm.j5t.io/payments",
        "hsmsecret.hsm.j5t.io/checkout-db"})
    CHECK_MESSAGE(applied.find(name) != std::string::npos, applied);
  // What is stored is what was applied, which kubectl keeps beside it.
  const json stored = json::parse(
      server.Must({"get", "-n", "samples", "hsmdevices,hsmsecrets", "-o", "json"}))["items"];
  CHECK(stored.size() == 5);
  for (const json& one : stored) {
    const json asked = json::parse(
        one["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
            .get<std::string>());
    CHECK_MESSAGE(one["spec"] == asked["spec"], one["spec"].dump(), asked["spec"].dump());
  }

  Store store(server);
  auto devices = store.All<cluster::HSMDevice>();
  REQUIRE(devices.size() == 4);
  CHECK(devices["build-signing"].spec.discovery->usb->serial_number == "DENK0100123");
  CHECK(devices["build-signing"].spec.pkcs11.pin_secret->name == "build-signing-pin");
  CHECK(devices["archive"].spec.discovery->usb->vendor_id == "04e6");
  CHECK(devices["archive"].spec.pkcs11.library_path == "/usr/lib/opensc-pkcs11.so");
  CHECK(devices["archive-serial"].spec.discovery->device_path->path == "/dev/ttyACM*");
  CHECK(devices["payments"].MemberNodes() ==
        std::vector<std::string>{"worker-1", "worker-2", "worker-3"});
  CHECK(devices["payments"].policy() == cluster::MirroringPolicy::kReadOnly);
  auto secrets = store.All<cluster::HSMSecret>();
  REQUIRE(secrets.size() == 1);
  CHECK(secrets["checkout-db"].spec.parent_ref->name == "controller-manager");
  CHECK(secrets["checkout-db"].spec.sync_interval == std::chrono::seconds(180));
  server.Must({"delete", "-n", "samples", "-f", Samples()});
}

// Its definitions knew other fields of a status, and other words for a phase.
TEST_CASE("what the older operator left in the cluster is read with the status that it has") {
  Network network({"api", "client"});
  ApiServer server(network, "api");
  const Network::Visit there(network, "client");
  for (const char* const kind : {"HSMDevice", "HSMSecret"}) {
    std::string plural = std::string(kind) + "s";
    std::ranges::transform(plural, plural.begin(), [](char c) { return std::tolower(c); });
    const json anything{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    const json definition{{"apiVersion", "apiextensions.k8s.io/v1"},
                          {"kind", "CustomResourceDefinition"},
                          {"metadata", {{"name", plural + ".hsm.j5t.io"}}},
                          {"spec",
                           {{"group", "hsm.j5t.io"},
                            {"scope", "Namespaced"},
                            {"names", {{"kind", kind}, {"plural", plural}}},
                            {"versions",
                             {{{"name", "v1alpha1"},
                               {"served", true},
                               {"storage", true},
                               {"schema", {{"openAPIV3Schema", anything}}}}}}}}};
    server.Must({"apply", "-f", "-"}, definition.dump());
  }
  server.Must({"wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"});
  server.Must({"create", "namespace", "samples"});
  server.Must({"apply", "-n", "samples", "-f", "-"}, R"(
apiVersion: hsm.j5t.io/v1alpha1
kind: HSMDevice
metadata:
  name: payments
spec:
  deviceType: PicoHSM
  discovery: {usb: {vendorId: "20a0", productId: "4230"}}
  maxDevices: 3
status:
  phase: Discovering
  totalDevices: 2
  availableDevices: 1
  lastDiscoveryTime: "2026-01-02T03:04:05Z"
  discoveredDevices:
  - {nodeName: worker-1, devicePath: /dev/bus/usb/001/004, available: true, lastSeen: "2026-01-02T03:04:05Z"}
  conditions:
  - {type: Ready, status: "True", reason: Discovered, message: "", lastTransitionTime: "2026-01-02T03:04:05Z"}
  mirroring: {enabled: true, failoverCount: 0, primaryNode: worker-1}
---
apiVersion: hsm.j5t.io/v1alpha1
kind: HSMSecret
metadata:
  name: checkout-db
spec:
  autoSync: true
  syncInterval: 30
status:
  syncStatus: InSync
  hsmChecksum: "sha256:00"
  secretChecksum: "sha256:00"
  primaryDevice: payments
  syncConflict: false
  lastSyncTime: "2026-01-02T03:04:05Z"
  secretRef: {name: checkout-db, namespace: samples}
  deviceSyncStatus:
  - {deviceName: payments, status: InSync, version: 7, online: true, checksum: "sha256:00"}
)");
  server.Must({"apply", "-f", TestFolder() + "/../manifests/crds"});
  server.Must({"wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"});
  Store store(server);
  auto devices = store.All<cluster::HSMDevice>();
  REQUIRE(devices.size() == 1);
  CHECK(devices["payments"].spec.discovery->usb->product_id == "4230");
  // Whoever leads writes a status of its own.
  CHECK(cluster::SaveStatus(*store.store, devices["payments"]).ok());
  auto secrets = store.All<cluster::HSMSecret>();
  REQUIRE(secrets.size() == 1);
  CHECK(secrets["checkout-db"].status.sync_status == cluster::SyncStatus::kInSync);
  CHECK(cluster::SaveStatus(*store.store, secrets["checkout-db"]).ok());
}

}  // namespace hsmops::test
