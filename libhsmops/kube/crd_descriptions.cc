#include "libhsmops/kube/crd_descriptions.h"

#include <nlohmann/json.hpp>
#include <span>

#include "libhsmops/kube/schema_path.h"

namespace hsmops::kube {

using cluster::Kind;

namespace {

struct Description {
  const char* path;
  const char* text;
};

constexpr Description kOfDevice[] = {
    {"spec.deviceType", "What kind of token it is. By default Generic: any PKCS#11 module."},
    {"spec.nodeSelector", "Labels of the nodes that have the device."},
    {"spec.discovery", "How agents find the device on their node."},
    {"spec.discovery.usb", "By its USB ids, each one to four hex digits."},
    {"spec.usb", "Older spelling of discovery.usb."},
    {"spec.devicePath", "Older spelling of discovery.devicePath."},
    {"spec.pkcs11LibraryPath", "Older spelling of pkcs11.libraryPath."},
    {"spec.pkcs11", "The module and the token that agents open."},
    {"spec.pkcs11.libraryPath", "The PKCS#11 module, on the agent's node."},
    {"spec.pkcs11.tokenLabel", "The token's label, at most 32 bytes."},
    {"spec.pkcs11.slotId", "The token's slot, where labels do not tell tokens apart."},
    {"spec.pkcs11.uri", "RFC 7512, instead of the three above; never with pin-value."},
    {"spec.pkcs11.pinSecret", "The key of a Secret that is mounted into the agent as the PIN."},
    {"spec.maxDevices", "At least the number of members; 10 where absent."},
    {"spec.allowedNamespaces",
     "Namespaces whose HSMSecrets may have secrets of this device; \"*\" is all. Its own always."},
    {"spec.mirroring", "The same secrets on several nodes' tokens. Absent: one device, no copies."},
    {"spec.mirroring.policy",
     "None; ReadOnly: mirrors serve reads while the Primary does not; Active: they always do."},
    {"spec.mirroring.primaryNode",
     "Preferred as the first Primary; status.primaryNode is who it is."},
    {"spec.mirroring.targetNodes",
     "The members beside primaryNode. Absent: the nodes of endpoints, and of EndpointSlices."},
    {"spec.mirroring.standbyNodes",
     "Members that serve no reads and are first in line; never the primaryNode."},
    {"spec.mirroring.minSyncMirrors",
     "How many mirrors hold a write before it is acknowledged; less than the members. Absent: 1."},
    {"spec.mirroring.durability",
     "With too few mirrors in sync, Available acknowledges writes all the same and counts them as "
     "unreplicated; Strict refuses them."},
    {"spec.mirroring.syncInterval",
     "Seconds between two comparisons of everything; 300 where absent."},
    {"spec.mirroring.verifyInterval",
     "Seconds after which every value is read again; 86400 where absent."},
    {"spec.mirroring.autoFailover", "false is the same as failover.mode Off."},
    {"spec.mirroring.endpoints",
     "Node to https://HOST[:PORT] of its agent. EndpointSlices labelled hsm.j5t.io/device: NAME "
     "come before it."},
    {"spec.mirroring.failover", "When a mirror takes the Primary's place."},
    {"spec.mirroring.failover.mode",
     "Auto; Observe: only an Event WouldFailOver; Off: only when a person asks for it."},
    {"spec.mirroring.failover.healthCheckInterval",
     "Between two looks at each member: seconds, or a duration such as 500ms. 2s where absent."},
    {"spec.mirroring.failover.unhealthyThreshold",
     "Looks in a row that a member has to fail before it counts as unhealthy; 3 where absent."},
    {"spec.mirroring.failover.grantDuration",
     "Seconds, 1 to 300, that a Primary may write after it last proved that it is one; nobody is "
     "promoted in its stead before they are over. 10 where absent."},
    {"spec.mirroring.failover.delay",
     "Seconds that an unhealthy Primary is given to come back; 0 where absent."},
    {"spec.mirroring.failover.minInterval",
     "Seconds between two automatic failovers, unless the first is acknowledged (kubectl hsm ack); "
     "600 where absent."},
    {"spec.mirroring.failover.priorities",
     "Node to a number: of those that could be promoted the greatest is; 0 where absent."},
};

constexpr Description kOfSecret[] = {
    {"spec.deviceRef",
     "The HSMDevice; absent: the only one there is. Without namespace: in the managers' own."},
    {"spec.parentRef", "The older operator's; read, and without effect."},
    {"spec.hsmPath", "The secret's name on the device; metadata.name where absent."},
    {"spec.secretName", "The Secret's name; metadata.name where absent."},
    {"spec.secretType", "The Secret's type; Opaque where absent."},
    {"spec", "Which secret of a device is to be a Secret here, and how."},
    {"spec.autoSync",
     "false: delivered once, and when the annotation hsm.j5t.io/force-sync has a new value."},
    {"spec.syncInterval", "Read, and without effect: changes are watched."},
    {"spec.adopt",
     "Takes over a Secret of that name that is there already, unless another object controls it."},
    {"spec.deletionPolicy",
     "When the secret is deleted on the device: Retain keeps the Secret, Delete removes it."},
};

constexpr Description kOfOperation[] = {
    {"spec", "What is to be done, and on which device. It stays as it was made, but for cancel."},
    {"spec.winner", "Older spelling of targetNode."},
    {"spec.type", "What is to be done; Drill is refused by managers of today."},
    {"spec.deviceRef", "The HSMDevice, in the same namespace."},
    {"spec.targetNode", "Promote, Failover: whom; Reinit: which mirror; Discard: on whom."},
    {"spec.expectedPrimary", "Refused where another is the Primary when it begins."},
    {"spec.secret", "Sync: only this secret; Discard: whose version."},
    {"spec.version", "Discard: the version that was set aside, as 7.142 or with its nonce."},
    {"spec.full", "Sync: every value is read again, not only compared by digest."},
    {"spec.acceptLoss", "Failover: also where acknowledged writes may be lost by it."},
    {"spec.dryRun", "Says what would be done; nothing is changed."},
    {"spec.cancel", "What has not begun is not done."},
    {"spec.until", "Pause: when it ends by itself."},
    {"spec.reason", "Shown wherever the operation is."},
    {"spec.notBefore", "Not begun before that time."},
    {"spec.ttlSecondsAfterFinished", "It is removed so long after its end; absent: it stays."},
};

}  // namespace

void AddDescriptions(Kind kind, nlohmann::json& schema) {
  const std::span<const Description> descriptions =
      kind == Kind::kHsmDevice   ? std::span<const Description>(kOfDevice)
      : kind == Kind::kHsmSecret ? std::span<const Description>(kOfSecret)
                                 : std::span<const Description>(kOfOperation);
  for (const Description& one : descriptions) SchemaAt(schema, one.path)["description"] = one.text;
}

}  // namespace hsmops::kube
