// What an API server refuses of our kinds when it is written: the rules of kube/crd_rules.h, asked
// of a real one, beside the same documents read by our types.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/cluster/yaml.h"
#include "libhsmops/store/secret.h"
#include "test/kube/shared_server.h"

namespace hsmops::test {
namespace {

struct Nonsense {
  const char* kind;
  const char* spec;   // as YAML's flow style has it
  const char* named;  // what the answer names
};

constexpr Nonsense kRefused[] = {
    {"HSMDevice", "{maxDevices: 0}", "spec.maxDevices"},
    {"HSMDevice", "{allowedNamespaces: [Team_A]}", "spec.allowedNamespaces[0]"},
    {"HSMDevice", "{discovery: {usb: {vendorId: banana}}}", "spec.discovery.usb.vendorId"},
    {"HSMDevice", "{pkcs11: {uri: 'http://token'}}", "does not begin with pkcs11:"},
    {"HSMDevice", "{pkcs11: {uri: 'pkcs11:token=t?pin-value=314159'}}", "holds a PIN"},
    {"HSMDevice", "{pkcs11: {uri: 'pkcs11:PIN-Value=314159'}}", "holds a PIN"},
    {"HSMDevice", "{pkcs11: {uri: 'pkcs11:token=t?pin-source=|cat'}}", "asks for a command"},
    {"HSMDevice", "{pkcs11: {slotId: -1}}", "spec.pkcs11.slotId"},
    {"HSMDevice", "{pkcs11: {tokenLabel: '123456789 123456789 123456789 123'}}",
     "spec.pkcs11.tokenLabel"},
    {"HSMDevice", "{pkcs11: {pinSecret: {name: pin}}}", "spec.pkcs11.pinSecret.key"},
    {"HSMDevice", "{pkcs11: {pinSecret: {name: PIN, key: pin}}}", "spec.pkcs11.pinSecret.name"},
    {"HSMDevice", "{mirroring: {policy: Sometimes}}", "spec.mirroring.policy"},
    {"HSMDevice", "{mirroring: {syncInterval: 0}}", "spec.mirroring.syncInterval"},
    {"HSMDevice", "{mirroring: {verifyInterval: -5}}", "spec.mirroring.verifyInterval"},
    {"HSMDevice", "{mirroring: {primaryNode: 'Worker 1'}}", "spec.mirroring.primaryNode"},
    {"HSMDevice", "{mirroring: {targetNodes: [a, a]}}", "spec.mirroring.targetNodes[1]"},
    {"HSMDevice", "{mirroring: {targetNodes: [a_b]}}", "spec.mirroring.targetNodes[0]"},
    {"HSMDevice", "{mirroring: {primaryNode: a, targetNodes: [b], standbyNodes: [a]}}",
     "cannot be a standby"},
    {"HSMDevice", "{mirroring: {primaryNode: a, targetNodes: [b], standbyNodes: [c]}}",
     "standbyNodes: names one that is not one of targetNodes"},
    {"HSMDevice", "{mirroring: {primaryNode: a, targetNodes: [b], minSyncMirrors: 2}}",
     "minSyncMirrors"},
    {"HSMDevice", "{mirroring: {minSyncMirrors: -1}}", "spec.mirroring.minSyncMirrors"},
    {"HSMDevice", "{maxDevices: 2, mirroring: {primaryNode: a, targetNodes: [b, c]}}",
     "maxDevices: is less than the number of nodes"},
    {"HSMDevice", "{mirroring: {endpoints: {a: 'ftp://a:9443'}}}", "spec.mirroring.endpoints[a]"},
    {"HSMDevice", "{mirroring: {endpoints: {a: 'https://a:9443/path'}}}",
     "without user, path or query"},
    {"HSMDevice", "{mirroring: {endpoints: {a: 'https://a:99999'}}}",
     "without user, path or query"},
    {"HSMDevice", "{mirroring: {endpoints: {a: 'pkcs11:pin-value=314159'}}}", "holds a PIN"},
    {"HSMDevice", "{mirroring: {targetNodes: [a], endpoints: {b: 'https://b:9443'}}}",
     "endpoints: names a node that is not one of targetNodes"},
    {"HSMDevice", "{mirroring: {primaryNode: b, endpoints: {a: 'https://a:9443'}}}",
     "is not one of the nodes of endpoints"},
    {"HSMDevice", "{mirroring: {failover: {mode: Never}}}", "spec.mirroring.failover.mode"},
    {"HSMDevice", "{mirroring: {failover: {grantDuration: 0}}}", "grantDuration"},
    {"HSMDevice", "{mirroring: {failover: {grantDuration: 301}}}", "grantDuration"},
    {"HSMDevice", "{mirroring: {failover: {healthCheckInterval: banana}}}",
     "neither a number of seconds nor a duration"},
    {"HSMDevice", "{mirroring: {failover: {healthCheckInterval: 10ms}}}", "is not within 100ms"},
    {"HSMDevice", "{mirroring: {failover: {healthCheckInterval: 0}}}", "is not within 100ms"},
    {"HSMDevice", "{mirroring: {failover: {unhealthyThreshold: 0}}}", "unhealthyThreshold"},
    {"HSMDevice", "{mirroring: {failover: {delay: -1}}}", "spec.mirroring.failover.delay"},
    {"HSMDevice", "{mirroring: {targetNodes: [a], failover: {priorities: {b: 1}}}}",
     "failover.priorities"},
    {"HSMSecret", "{secretName: UPPER}", "spec.secretName"},
    {"HSMSecret", "{hsmPath: 'app db'}", "spec.hsmPath"},
    {"HSMSecret", "{hsmPath: ../x}", "spec.hsmPath"},
    {"HSMSecret", "{hsmPath: app//db}", "spec.hsmPath"},
    {"HSMSecret", "{secretType: ''}", "spec.secretType"},
    {"HSMSecret", "{syncInterval: -3}", "spec.syncInterval"},
    {"HSMSecret", "{deviceRef: {}}", "spec.deviceRef.name"},
    {"HSMSecret", "{deletionPolicy: Perhaps}", "spec.deletionPolicy"},
    {"HSMOperation", "{type: Sync}", "spec.deviceRef"},
    {"HSMOperation", "{deviceRef: {name: payments}}", "spec.type"},
    {"HSMOperation", "{type: Dance, deviceRef: {name: payments}}", "spec.type"},
    {"HSMOperation", "{type: Sync, deviceRef: {name: ''}}", "spec.deviceRef.name"},
    {"HSMOperation", "{type: Pause, dryRun: true, deviceRef: {name: payments}}", "dryRun"},
    {"HSMOperation", "{type: Pause, deviceRef: {name: payments}}", "until"},
    {"HSMOperation", "{type: Sync, deviceRef: {name: payments}, acceptLoss: true}", "acceptLoss"},
    {"HSMOperation", "{type: Promote, targetNode: 'b c', deviceRef: {name: payments}}",
     "spec.targetNode"},
    {"HSMOperation", "{type: Discard, version: newest, deviceRef: {name: payments}}",
     "spec.version"},
    {"HSMOperation", "{type: Sync, ttlSecondsAfterFinished: -1, deviceRef: {name: payments}}",
     "spec.ttlSecondsAfterFinished"},
};

// At the edge of what is refused.
constexpr Nonsense kTaken[] = {
    {"HSMDevice", "{}", ""},
    {"HSMDevice", "{usb: {vendorId: '0x20A0', productId: ''}, maxDevices: 1}", ""},
    {"HSMDevice",
     "{allowedNamespaces: ['*', team-a], pkcs11: {uri: "
     "'pkcs11:token=a%20b;object=pin-value?pin-source=file:/run/pin'}}",
     ""},
    {"HSMDevice", "{mirroring: {primaryNode: a, minSyncMirrors: 2, standbyNodes: [c]}}", ""},
    {"HSMDevice",
     "{maxDevices: 3, mirroring: {primaryNode: a, targetNodes: [a, b, c], standbyNodes: [c], "
     "minSyncMirrors: 2, endpoints: {a: 'https://[fd00::1]:9443', b: 'https://b.example', c: "
     "'pkcs11:token=c'}, failover: {grantDuration: 300, healthCheckInterval: 100ms, priorities: "
     "{b: 7}}}}",
     ""},
    {"HSMDevice", "{mirroring: {failover: {healthCheckInterval: 1m30s}}}", ""},
    {"HSMDevice", "{mirroring: {primaryNode: '', failover: {healthCheckInterval: 2}}}", ""},
    {"HSMSecret", "{}", ""},
    {"HSMSecret", "{hsmPath: a/b-c.d_e/0}", ""},
    {"HSMSecret", "{hsmPath: ''}", ""},
    {"HSMSecret", "{deviceRef: {name: payments, namespace: hsm}, hsmPath: app, syncInterval: 1}",
     ""},
    {"HSMOperation", "{type: Promote, targetNode: b, deviceRef: {name: payments}, reason: why}",
     ""},
};

std::string DocumentOf(const Nonsense& one) {
  return fmt::format(
      "apiVersion: hsm.j5t.io/v1alpha1\nkind: {}\nmetadata: {{name: payments, namespace: "
      "default}}\nspec: {}\n",
      one.kind, one.spec);
}

bool OursTakes(const Nonsense& one) {
  const auto document = cluster::ParseYaml(DocumentOf(one));
  REQUIRE(document.ok());
  const std::string_view kind = one.kind;
  if (kind == "HSMDevice") return cluster::HSMDevice::FromJson(*document).ok();
  if (kind == "HSMSecret") {
    const auto secret = cluster::HSMSecret::FromJson(*document);
    return secret.ok() && store::SecretName::Parse(secret->HsmName()).ok();
  }
  return cluster::HSMOperation::FromJson(*document).ok();
}

}  // namespace

TEST_CASE("nonsense is refused where it is written, by name and without a PIN") {
  SharedServer& shared = SharedServer::The();
  const Network::Visit there(shared.network, "client");
  for (const Nonsense& one : kRefused) {
    CAPTURE(std::string(one.spec));
    const Ended ended =
        shared.server.Kubectl({"create", "--dry-run=server", "-f", "-"}, "admin", DocumentOf(one));
    CHECK(ended.code == 1);
    CHECK_MESSAGE(ended.err.find(one.named) != std::string::npos, ended.err);
    CHECK_MESSAGE(ended.err.find("314159") == std::string::npos, ended.err);
    CHECK_FALSE(OursTakes(one));
  }
  for (const Nonsense& one : kTaken) {
    CAPTURE(std::string(one.spec));
    const Ended ended =
        shared.server.Kubectl({"create", "--dry-run=server", "-f", "-"}, "admin", DocumentOf(one));
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(OursTakes(one));
  }
}

TEST_CASE("what an operation asks for stays; it may be cancelled") {
  SharedServer& shared = SharedServer::The();
  const Network::Visit there(shared.network, "client");
  const Ended nobody = shared.server.Kubectl(
      {"create", "--dry-run=server", "-f", "-"}, "admin",
      DocumentOf({"HSMOperation", "{type: Promote, deviceRef: {name: payments}}", ""}));
  CHECK_MESSAGE(nobody.err.find("a Promote names whom it promotes") != std::string::npos,
                nobody.err);
  shared.server.Must(
      {"create", "-f", "-"},
      DocumentOf(
          {"HSMOperation", "{type: Promote, targetNode: b, deviceRef: {name: payments}}", ""}));
  // Also before any manager looks.
  CHECK(shared.server.Must({"get", "hsmoperation", "payments", "-o", "jsonpath={.status.phase}"}) ==
        "Pending");
  const auto patched = [&](const char* patch) {
    return shared.server.Kubectl(
        {"patch", "hsmoperation", "payments", "--type=merge", "-p", patch});
  };
  for (const char* const patch :
       {R"({"spec":{"targetNode":"c"}})", R"({"spec":{"targetNode":null}})",
        R"({"spec":{"type":"Failover"}})", R"({"spec":{"acceptLoss":true}})",
        R"({"spec":{"dryRun":true}})", R"({"spec":{"secret":"app"}})",
        R"({"spec":{"reason":"another"}})", R"({"spec":{"notBefore":"2027-01-02T03:04:05Z"}})",
        R"({"spec":{"deviceRef":{"name":"other"}}})"}) {
    const Ended ended = patched(patch);
    CHECK(ended.code == 1);
    CHECK_MESSAGE(ended.err.find("stays as it was") != std::string::npos, patch, ended.err);
  }
  // As whoever reads it as a type writes it again.
  CHECK(patched(R"({"spec":{"cancel":true,"acceptLoss":false,"dryRun":false,"full":false,)"
                R"("secret":"","deviceRef":{"namespace":""},"ttlSecondsAfterFinished":60}})")
            .code == 0);
  shared.server.Must({"delete", "hsmoperation", "payments"});
}

}  // namespace hsmops::test
