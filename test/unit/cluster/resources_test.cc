#include "libhsmops/cluster/resources.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using nlohmann::json;

json Yaml(const std::string& text) {
  auto parsed = ParseYaml(text);
  if (!parsed.ok()) FAIL(parsed.error().message());
  return *parsed;
}

json DeviceWith(const std::string& spec) {
  return Yaml(
      "apiVersion: hsm.j5t.io/v1alpha1\nkind: HSMDevice\nmetadata: {name: payments, namespace: "
      "hsm-system}\nspec: {" +
      spec + "}\n");
}

template <typename T>
std::string Refusal(const json& document) {
  const auto value = T::FromJson(document);
  return value.ok() ? "accepted" : value.error().message();
}

HSMDevice Device(const std::string& spec) {
  auto device = HSMDevice::FromJson(DeviceWith(spec));
  if (!device.ok()) FAIL(device.error().message());
  return *device;
}

}  // namespace

TEST_CASE("a device of few words has the defaults of the interface") {
  const HSMDevice device = Device("mirroring: {targetNodes: [a, b]}");
  const MirroringSpec& mirroring = *device.spec.mirroring;
  CHECK(device.spec.device_type == DeviceType::kGeneric);
  CHECK(mirroring.policy == MirroringPolicy::kReadOnly);
  CHECK(mirroring.sync_interval == std::chrono::seconds(300));
  CHECK(mirroring.verify_interval == std::chrono::seconds(86400));
  CHECK(mirroring.EffectiveMode() == FailoverMode::kAuto);
  CHECK(mirroring.durability == Durability::kAvailable);
  CHECK(mirroring.failover == FailoverSpec{});
  CHECK(device.MinSyncMirrors(2) == 1);
  CHECK(device.MinSyncMirrors(1) == 0);
  CHECK(Device("").policy() == MirroringPolicy::kNone);
  CHECK(Device("mirroring: {autoFailover: false}").failover_mode() == FailoverMode::kOff);
}

TEST_CASE("every field of the interface is read, and written as it was") {
  const json document = DeviceWith(
      R"(deviceType: PicoHSM, nodeSelector: {hsm.j5t.io/hardware: available}, maxDevices: 3,
    discovery: {usb: {vendorId: "20a0", productId: "4230", serialNumber: s}, devicePath: {path: /dev/x, permissions: "0660"}, autoDiscovery: true},
    pkcs11: {libraryPath: /l.so, tokenLabel: t, slotId: 0, uri: "pkcs11:token=t", pinSecret: {name: pin, key: pin, namespace: ns1}},
    allowedNamespaces: [payments, "*"], mirroring: {policy: Active, syncInterval: 60, autoFailover: false, primaryNode: worker-1,
    targetNodes: [worker-2, worker-3], standbyNodes: [worker-3], minSyncMirrors: 2, durability: Strict, verifyInterval: 100,
    failover: {mode: Observe, healthCheckInterval: 1, unhealthyThreshold: 5, grantDuration: 20, delay: 3, minInterval: 4, priorities: {worker-3: 10}},
    endpoints: {worker-1: "https://10.0.0.11:9443", worker-2: "pkcs11:token=two"}})");
  const auto device = HSMDevice::FromJson(document);
  if (!device.ok()) FAIL(device.error().message());
  CHECK(device->ToJson() == document);
}

TEST_CASE("the older spellings are read, the newer one wins") {
  HSMDevice device =
      Device("usb: {vendorId: '20a0', productId: '4230'}, pkcs11LibraryPath: /old.so");
  CHECK(device.spec.discovery->usb->vendor_id == "20a0");
  CHECK(device.spec.pkcs11.library_path == "/old.so");
  device = Device(
      "usb: {vendorId: '0000'}, discovery: {usb: {vendorId: '0x00FF'}}, pkcs11LibraryPath: "
      "/old.so, pkcs11: "
      "{libraryPath: /new.so}");
  CHECK(device.spec.discovery->usb->vendor_id == "0x00FF");
  CHECK(device.spec.pkcs11.library_path == "/new.so");
  device = Device("devicePath: {path: /dev/old, permissions: '0660'}");
  CHECK(device.spec.discovery->device_path == DevicePathSpec{"/dev/old", "0660"});
  device = Device("devicePath: {path: /dev/old}, discovery: {devicePath: {path: /dev/new}}");
  CHECK(device.spec.discovery->device_path->path == "/dev/new");
}

TEST_CASE("unknown fields are pruned, null is absent, and a foreign operator's status is read") {
  json document = DeviceWith(
      "nobody: {knows: this}, mirroring: {targetNodes: [a], future: 1, primaryNode: null}");
  document["status"] = Yaml(
      "{phase: Discovering, totalDevices: 2, discoveredDevices: [{nodeName: x}], mirroring: "
      "{enabled: true, failoverCount: 3}}");
  const auto device = HSMDevice::FromJson(document);
  if (!device.ok()) FAIL(device.error().message());
  CHECK_FALSE(device->ToJson()["spec"].contains("nobody"));
  CHECK(device->status.phase == DevicePhase::kDiscovering);
  CHECK(device->status.mirroring->failover_count == 3);
}

TEST_CASE("members are in a stable order without repeats") {
  using Nodes = std::vector<std::string>;
  CHECK(Device("mirroring: {primaryNode: c, targetNodes: [b, c, a]}").MemberNodes() ==
        Nodes{"c", "b", "a"});
  CHECK(Device("mirroring: {primaryNode: b, endpoints: {c: 'pkcs11:', a: 'pkcs11:', b: 'pkcs11:'}}")
            .MemberNodes() == Nodes{"b", "a", "c"});
  CHECK(Device("").MemberNodes().empty());
  CHECK(Device("allowedNamespaces: [p]").Allows("hsm-system"));
  CHECK_FALSE(Device("allowedNamespaces: [p]").Allows("q"));
}

TEST_CASE("each mistake in a device is named by its path") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"deviceType: Yubi",
       "spec.deviceType: \"Yubi\" is not one of PicoHSM, SmartCard-HSM, Generic"},
      {"mirroring: {policy: Foo}",
       "spec.mirroring.policy: \"Foo\" is not one of None, ReadOnly, Active"},
      {"mirroring: {durability: x}",
       "spec.mirroring.durability: \"x\" is not one of Available, Strict"},
      {"mirroring: {failover: {mode: x}}",
       "spec.mirroring.failover.mode: \"x\" is not one of Auto, Observe, Off"},
      {"mirroring: {policy: yes}",
       "spec.mirroring.policy: true is not a string (YAML reads On, Off, Yes and No so: write the "
       "word in quotes)"},
      {"mirroring: [a]", "spec.mirroring: a list is not a map"},
      {"mirroring: {syncInterval: soon}",
       "spec.mirroring.syncInterval: \"soon\" is not a whole number"},
      {"mirroring: {syncInterval: 1.5}", "spec.mirroring.syncInterval: 1.5 is not a whole number"},
      {"mirroring: {syncInterval: 0}",
       "spec.mirroring.syncInterval: 0 is not within 1 to 31622400 seconds"},
      {"maxDevices: 5000000000",
       "spec.maxDevices: 5000000000 is not within -2147483648 to 2147483647"},
      {"maxDevices: 0", "spec.maxDevices: 0 is less than 1"},
      {"maxDevices: 1, mirroring: {targetNodes: [a, b]}",
       "spec.maxDevices: 1 is less than the 2 nodes a, b"},
      {"mirroring: {autoFailover: 1}", "spec.mirroring.autoFailover: 1 is not true or false"},
      {"mirroring: {targetNodes: a}", "spec.mirroring.targetNodes: \"a\" is not a list"},
      {"mirroring: {targetNodes: [a, 7]}", "spec.mirroring.targetNodes[1]: 7 is not a string"},
      {"mirroring: {targetNodes: [a, a]}", "spec.mirroring.targetNodes[1]: \"a\" is there twice"},
      {"mirroring: {targetNodes: [A]}",
       "spec.mirroring.targetNodes[0]: \"A\" is not a name (lower-case letters, digits, '-' and "
       "'.', beginning and ending with a letter or digit)"},
      {"mirroring: {primaryNode: c, endpoints: {a: 'pkcs11:', b: 'pkcs11:'}}",
       "spec.mirroring.primaryNode: \"c\" is not one of the nodes a, b"},
      {"mirroring: {targetNodes: [a, b], standbyNodes: [c]}",
       "spec.mirroring.standbyNodes[0]: \"c\" is not one of the nodes a, b"},
      {"mirroring: {primaryNode: a, targetNodes: [b], standbyNodes: [a]}",
       "spec.mirroring.standbyNodes: \"a\" is the primaryNode and cannot be a standby"},
      {"mirroring: {targetNodes: [a, b], minSyncMirrors: 2}",
       "spec.mirroring.minSyncMirrors: 2 mirrors cannot hold a write: 2 nodes (a, b) leave 1 for "
       "mirrors"},
      {"mirroring: {targetNodes: [a, b], minSyncMirrors: -1}",
       "spec.mirroring.minSyncMirrors: -1 is less than 0"},
      {"mirroring: {failover: {unhealthyThreshold: 0}}",
       "spec.mirroring.failover.unhealthyThreshold: 0 is less than 1"},
      {"mirroring: {failover: {healthCheckInterval: 0}}",
       "spec.mirroring.failover.healthCheckInterval: 0 ms is not within 100 ms to 31622400 "
       "seconds"},
      {"mirroring: {failover: {healthCheckInterval: 0.5}}",
       "spec.mirroring.failover.healthCheckInterval: 0.5 is neither whole seconds nor text like "
       "\"500ms\""},
      {"mirroring: {failover: {grantDuration: 301}}",
       "spec.mirroring.failover.grantDuration: 301 is not within 1 to 300 seconds"},
      {"mirroring: {failover: {grantDuration: 0}}",
       "spec.mirroring.failover.grantDuration: 0 is not within 1 to 300 seconds"},
      {"mirroring: {targetNodes: [a], failover: {priorities: {z: 1}}}",
       "spec.mirroring.failover.priorities: \"z\" is not one of the nodes a"},
      {"mirroring: {targetNodes: [a], failover: {priorities: {a: x}}}",
       "spec.mirroring.failover.priorities.a: \"x\" is not a whole number"},
      {"mirroring: {endpoints: {a: 'http://x'}}",
       "spec.mirroring.endpoints[a]: is neither a pkcs11: URI nor https://host[:port]"},
      {"mirroring: {endpoints: {a: 'https://u@x/p'}}",
       "spec.mirroring.endpoints[a]: is not https://host[:port] without user, path or query"},
      {"mirroring: {endpoints: {a: 'https://x:99999'}}",
       "spec.mirroring.endpoints[a]: is not https://host[:port] without user, path or query"},
      {"mirroring: {endpoints: {a: 'pkcs11:token=t?pin-value=1234'}}",
       "spec.mirroring.endpoints[a]: holds a PIN (pin-value); use pinSecret or "
       "pin-source=file:/path instead"},
      {"pkcs11: {uri: 'pkcs11:token=t?PIN%2dvalue=1234'}",
       "spec.pkcs11.uri: holds a PIN (pin-value); use pinSecret or pin-source=file:/path instead"},
      {"pkcs11: {uri: 'pkcs11:?pin-source=|cat'}",
       "spec.pkcs11.uri: asks for a command to be run (pin-source=|…); use pin-source=file:/path "
       "instead"},
      {"pkcs11: {uri: 'pkcs11:;pin-source=%7ccat'}",
       "spec.pkcs11.uri: asks for a command to be run (pin-source=|…); use pin-source=file:/path "
       "instead"},
      {"pkcs11: {uri: 'token=t'}", "spec.pkcs11.uri: does not begin with pkcs11:"},
      {"pkcs11: {slotId: -1}", "spec.pkcs11.slotId: -1 is less than 0"},
      {"pkcs11: {pinSecret: {name: p}}", "spec.pkcs11.pinSecret.key: must not be empty"},
      {"allowedNamespaces: [a.b]",
       "spec.allowedNamespaces[0]: \"a.b\" is not a namespace (at most 63 lower-case letters, "
       "digits and '-')"},
      {"nodeSelector: {a: 1}",
       "spec.nodeSelector.a: 1 is not a string (a string that looks like something else needs "
       "quotes)"},
      {"maxDevices: 0, mirroring: {policy: Foo}",
       "spec.mirroring.policy: \"Foo\" is not one of None, ReadOnly, Active"},
  };
  for (const auto& [spec, message] : cases) {
    CAPTURE(spec);
    CHECK(Refusal<HSMDevice>(DeviceWith(spec)) == message);
  }
}

TEST_CASE("metadata and kind are checked, and a long list of mistakes is cut") {
  json document = DeviceWith("");
  document["metadata"]["name"] = std::string(254, 'a');
  CHECK(Refusal<HSMDevice>(document).ends_with("is 254 bytes long, at most 253 are allowed"));
  document.erase("metadata");
  CHECK(Refusal<HSMDevice>(document).find("metadata: is missing") != std::string::npos);
  CHECK(Refusal<HSMSecret>(DeviceWith("")) ==
        "kind: \"HSMDevice\" of \"hsm.j5t.io/v1alpha1\" is not HSMSecret of hsm.j5t.io/v1alpha1");
  CHECK(Refusal<HSMDevice>(json(5)) == "5 is not a resource");
  CHECK(Refusal<HSMDevice>(DeviceWith("mirroring: {targetNodes: [1,2,3,4,5,6,7,8,9,10,11,12]}"))
            .ends_with("; and 2 more"));
  CHECK(Refusal<HSMDevice>(DeviceWith("deviceType: '" + std::string(500, 'x') + "'")).size() < 200);
}

TEST_CASE("secrets, operations, leases and events are read and written as they were") {
  const json secret = Yaml(
      R"({apiVersion: hsm.j5t.io/v1alpha1, kind: HSMSecret, metadata: {name: db, namespace: payments},
    spec: {deviceRef: {name: payments, namespace: hsm-system}, parentRef: {name: m}, hsmPath: app/db, secretName: db2, secretType: Opaque,
    autoSync: true, syncInterval: 30, adopt: true, deletionPolicy: Delete}, status: {syncStatus: InSync, lastSyncTime: "2026-01-02T03:04:05Z",
    deviceSyncStatus: [{nodeName: a, status: Error, lastError: e}], servedFrom: a, version: v, conditions: [{type: Ready, status: "True", reason: R,
    message: m, observedGeneration: 1, lastTransitionTime: "2026-01-02T03:04:05Z"}]}})");
  CHECK(HSMSecret::FromJson(secret)->ToJson() == secret);
  json older = secret;  // that operator counts versions
  older["status"]["deviceSyncStatus"][0]["version"] = 7;
  CHECK(HSMSecret::FromJson(older)->status.device_sync_status[0].version == "7");
  const json operation = Yaml(
      R"({apiVersion: hsm.j5t.io/v1alpha1, kind: HSMOperation, metadata: {name: op, namespace: hsm-system},
    spec: {deviceRef: {name: payments}, type: Promote, targetNode: b, expectedPrimary: a, winner: b, secret: s, version: 7.142.00c0ffee00c0ffee, full: false, acceptLoss: true,
    dryRun: false, cancel: false, until: "2026-01-02T03:04:05Z", reason: r, notBefore: "2026-01-02T03:04:05Z", ttlSecondsAfterFinished: 0},
    status: {phase: Partial, startedAt: "2026-01-02T03:04:05Z", progress: {done: 1, total: 2}, result: r, message: m,
    steps: [{name: P1, state: Succeeded, completedAt: "2026-01-02T03:04:05Z"}]}})");
  CHECK(HSMOperation::FromJson(operation)->ToJson() == operation);
  const json lease =
      Yaml(R"({apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l, namespace: ns1},
    spec: {holderIdentity: "", leaseDurationSeconds: 10, leaseTransitions: 0, renewTime: "2026-01-02T03:04:05.000006Z"}})");
  CHECK(Lease::FromJson(lease)->ToJson() == lease);
  const json event = Yaml(
      R"({apiVersion: events.k8s.io/v1, kind: Event, metadata: {name: e, namespace: ns1}, eventTime: "2026-01-02T03:04:05.000006Z",
    series: {count: 2, lastObservedTime: "2026-01-02T03:04:05.000007Z"}, reportingController: c, reportingInstance: i, action: a, reason: r,
    type: Warning, regarding: {kind: HSMDevice, name: d, namespace: ns1}, note: x})");
  CHECK(Event::FromJson(event)->ToJson() == event);
}

TEST_CASE("each mistake in an operation or a secret is named by its path") {
  const auto operation = [](const std::string& spec) {
    return Refusal<HSMOperation>(
        Yaml("{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMOperation, metadata: {name: op}, spec: {" +
             spec + "}}"));
  };
  CHECK(operation("deviceRef: {name: d}") == "spec.type: is missing");
  CHECK(operation("type: Sync") == "spec.deviceRef.name: must not be empty");
  CHECK(operation("deviceRef: {name: d}, type: Dance")
            .starts_with("spec.type: \"Dance\" is not one of Sync, Verify, Promote, "));
  CHECK(operation("deviceRef: {name: d}, type: Sync, until: soon") ==
        "spec.until: \"soon\" is not an RFC 3339 time such as 2026-01-02T15:04:05Z");
  CHECK(operation("deviceRef: {name: d}, type: Sync, ttlSecondsAfterFinished: -1") ==
        "spec.ttlSecondsAfterFinished: -1 is less than 0");
  CHECK(operation("deviceRef: {name: d}, type: Pause") ==
        "spec.until: is missing: a Pause says when it ends");
  CHECK(operation("deviceRef: {name: d}, type: Pause, until: 2030-01-01T00:00:00Z, dryRun: true") ==
        "spec.dryRun: is not for a Pause");
  CHECK(operation("deviceRef: {name: d}, type: Promote, targetNode: b, acceptLoss: true") ==
        "spec.acceptLoss: is not for a Promote");
  CHECK(operation("deviceRef: {name: d}, type: Discard, version: latest") ==
        "spec.version: is no version, such as 7.142 or 7.142.00c0ffee00c0ffee");
  const auto secret = [](const std::string& spec) {
    return Refusal<HSMSecret>(
        Yaml("{apiVersion: hsm.j5t.io/v1alpha1, kind: HSMSecret, metadata: {name: s}, spec: {" +
             spec + "}}"));
  };
  CHECK(secret("deletionPolicy: Keep") ==
        "spec.deletionPolicy: \"Keep\" is not one of Retain, Delete");
  CHECK(secret("syncInterval: 0") == "spec.syncInterval: 0 is less than 1 second");
}

TEST_CASE("a condition's time moves only with its status, and history keeps the last twenty") {
  const base::WallTime first{std::chrono::seconds(100)};
  std::vector<Condition> conditions;
  SetCondition(conditions,
               {.type = "Ready",
                .status = ConditionStatus::kTrue,
                .reason = "A",
                .message = {},
                .observed_generation = 1,
                .last_transition_time = {}},
               first);
  SetCondition(conditions,
               {.type = "Ready",
                .status = ConditionStatus::kTrue,
                .reason = "B",
                .message = {},
                .observed_generation = 2,
                .last_transition_time = {}},
               first + std::chrono::seconds(1));
  REQUIRE(conditions.size() == 1);
  CHECK(conditions[0].reason == "B");
  CHECK(conditions[0].last_transition_time == first);
  SetCondition(conditions,
               {.type = "Ready",
                .status = ConditionStatus::kFalse,
                .reason = "C",
                .message = {},
                .observed_generation = 2,
                .last_transition_time = {}},
               first + std::chrono::seconds(2));
  CHECK(FindCondition(conditions, "Ready")->last_transition_time ==
        first + std::chrono::seconds(2));
  HSMDeviceStatus status;
  for (std::uint64_t i = 0; i < 25; ++i) {
    HistoryEntry entry;
    entry.epoch = i;
    status.Remember(entry);
  }
  CHECK(status.history.size() == kMaxHistory);
  CHECK(status.history.front().epoch == 5);
}

}  // namespace hsmops::cluster
