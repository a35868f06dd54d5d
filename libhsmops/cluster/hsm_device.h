// HSMDevice: one mirrored group, the same secrets on several nodes' tokens.
//
// The fields are those of docs/resources.md; members that interface.md gives a default have it
// here. Values only: copy them, compare them, share nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/hsm_device_status.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

inline constexpr std::chrono::milliseconds kMinHealthCheckInterval{100};
inline constexpr std::chrono::seconds kMinGrantDuration{1};
inline constexpr std::chrono::seconds kMaxGrantDuration{300};
inline constexpr std::chrono::seconds kMaxInterval{366L * 86400};  // of anything counted in seconds
inline constexpr int kMaxMembers = 64;

enum class DeviceType : std::uint8_t { kPicoHsm, kSmartCardHsm, kGeneric };
std::span<const Named<DeviceType>> NamesOf(DeviceType);
enum class MirroringPolicy : std::uint8_t { kNone, kReadOnly, kActive };
std::span<const Named<MirroringPolicy>> NamesOf(MirroringPolicy);
enum class Durability : std::uint8_t { kAvailable, kStrict };
std::span<const Named<Durability>> NamesOf(Durability);
enum class FailoverMode : std::uint8_t { kAuto, kObserve, kOff };
std::span<const Named<FailoverMode>> NamesOf(FailoverMode);

struct UsbSpec {
  std::string vendor_id;
  std::string product_id;
  std::string serial_number;
  bool operator==(const UsbSpec&) const = default;
};

struct DevicePathSpec {
  std::string path;
  std::string permissions;
  bool operator==(const DevicePathSpec&) const = default;
};

struct DiscoverySpec {
  std::optional<UsbSpec> usb;
  std::optional<DevicePathSpec> device_path;
  bool auto_discovery = false;
  bool operator==(const DiscoverySpec&) const = default;
};

// A key of a Kubernetes Secret that is mounted into the agent; never read through the API.
struct SecretKeyRef {
  std::string name;
  std::string key;
  std::string ns;  // empty: the device's
  bool operator==(const SecretKeyRef&) const = default;
};

struct Pkcs11Spec {
  std::string library_path;
  std::string token_label;
  std::optional<int> slot_id;
  std::string uri;
  std::optional<SecretKeyRef> pin_secret;
  bool operator==(const Pkcs11Spec&) const = default;
};

struct FailoverSpec {
  FailoverMode mode = FailoverMode::kAuto;
  std::chrono::milliseconds health_check_interval{2000};
  int unhealthy_threshold = 3;
  std::chrono::seconds grant_duration{10};  // D
  std::chrono::seconds delay{0};
  std::chrono::seconds min_interval{600};
  std::map<std::string, int> priorities;  // node -> greater is preferred; absent: 0
  bool operator==(const FailoverSpec&) const = default;
};

struct MirroringSpec {
  MirroringPolicy policy = MirroringPolicy::kReadOnly;
  std::chrono::seconds sync_interval{300};
  bool auto_failover = true;
  std::string primary_node;               // preferred, not current
  std::vector<std::string> target_nodes;  // empty: every node that has the device
  std::vector<std::string> standby_nodes;
  std::optional<int>
      min_sync_mirrors;  // k as asked for; HSMDevice::MinSyncMirrors gives the default
  Durability durability = Durability::kAvailable;
  std::chrono::seconds verify_interval{86400};
  FailoverSpec failover;
  std::map<std::string, std::string> endpoints;  // node -> pkcs11: URI or https://host[:port]

  // autoFailover: false is mode Off.
  FailoverMode EffectiveMode() const { return auto_failover ? failover.mode : FailoverMode::kOff; }
  bool operator==(const MirroringSpec&) const = default;
};

struct HSMDeviceSpec {
  DeviceType device_type = DeviceType::kGeneric;
  std::map<std::string, std::string> node_selector;
  // The older spec.usb and spec.devicePath are read into it.
  std::optional<DiscoverySpec> discovery;
  Pkcs11Spec pkcs11;  // the older spec.pkcs11LibraryPath is read into library_path
  int max_devices = 10;
  std::vector<std::string> allowed_namespaces;
  std::optional<MirroringSpec> mirroring;  // absent: one device, no copies
  bool operator==(const HSMDeviceSpec&) const = default;
};

struct HSMDevice {
  static constexpr Kind kKind = Kind::kHsmDevice;
  ObjectMeta metadata;
  HSMDeviceSpec spec;
  HSMDeviceStatus status;

  // kInvalid: every mistake with the path of its field, what was found and what is allowed. Fields
  // that nobody knows are pruned.
  static base::Result<HSMDevice> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;
  // The structural schema of spec and status, for a CustomResourceDefinition.
  static nlohmann::json Schema();

  // What FromJson checks beyond the types, for a device that was built in memory.
  base::Result<void> Validate() const;

  MirroringPolicy policy() const {
    return spec.mirroring ? spec.mirroring->policy : MirroringPolicy::kNone;
  }
  Durability durability() const {
    return spec.mirroring ? spec.mirroring->durability : Durability::kAvailable;
  }
  FailoverMode failover_mode() const {
    return spec.mirroring ? spec.mirroring->EffectiveMode() : FailoverMode::kOff;
  }

  // primaryNode, then targetNodes in their order; when there are no targetNodes, primaryNode and
  // then every node of endpoints by name. Without repeats. Empty: the spec does not say, look for
  // devices.
  std::vector<std::string> MemberNodes() const;
  // kNotFound: this node is none of these, which are named.
  base::Error NoSuchMember(std::string_view node) const;
  // k: what the spec says, else 1 with `members` > 1 and 0 with a single device or policy None.
  int MinSyncMirrors(std::size_t members) const;
  bool IsStandby(std::string_view node) const;
  // Every endpoint is an agent's (https), which managers reach; a token's own (pkcs11) they do not.
  bool IsBehindAgents() const;
  // May secrets be delivered to a namespace? Its own always; "*" allows all.
  bool Allows(std::string_view ns) const;

  bool operator==(const HSMDevice&) const = default;
};

}  // namespace hsmops::cluster
