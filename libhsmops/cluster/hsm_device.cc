#include "libhsmops/cluster/hsm_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/document.h"
#include "libhsmops/cluster/fields.h"

namespace hsmops::cluster {
namespace {

constexpr Named<DeviceType> kDeviceTypeNames[] = {{DeviceType::kPicoHsm, "PicoHSM"},
                                                  {DeviceType::kSmartCardHsm, "SmartCard-HSM"},
                                                  {DeviceType::kGeneric, "Generic"}};
constexpr Named<MirroringPolicy> kPolicyNames[] = {{MirroringPolicy::kNone, "None"},
                                                   {MirroringPolicy::kReadOnly, "ReadOnly"},
                                                   {MirroringPolicy::kActive, "Active"}};
constexpr Named<Durability> kDurabilityNames[] = {{Durability::kAvailable, "Available"},
                                                  {Durability::kStrict, "Strict"}};
constexpr Named<FailoverMode> kModeNames[] = {{FailoverMode::kAuto, "Auto"},
                                              {FailoverMode::kObserve, "Observe"},
                                              {FailoverMode::kOff, "Off"}};

}  // namespace

std::span<const Named<DeviceType>> NamesOf(DeviceType) { return kDeviceTypeNames; }
std::span<const Named<MirroringPolicy>> NamesOf(MirroringPolicy) { return kPolicyNames; }
std::span<const Named<Durability>> NamesOf(Durability) { return kDurabilityNames; }
std::span<const Named<FailoverMode>> NamesOf(FailoverMode) { return kModeNames; }

template <typename Fields>
void Describe(Fields& fields, UsbSpec& usb) {
  fields("vendorId", usb.vendor_id);
  fields("productId", usb.product_id);
  fields("serialNumber", usb.serial_number);
}

template <typename Fields>
void Describe(Fields& fields, DevicePathSpec& path) {
  fields("path", path.path);
  fields("permissions", path.permissions);
}

template <typename Fields>
void Describe(Fields& fields, DiscoverySpec& discovery) {
  fields("usb", discovery.usb);
  fields("devicePath", discovery.device_path);
  if (Fields::kReading || discovery.auto_discovery)
    fields("autoDiscovery", discovery.auto_discovery);
}

template <typename Fields>
void Describe(Fields& fields, SecretKeyRef& ref) {
  fields("name", ref.name);
  fields("key", ref.key);
  fields("namespace", ref.ns);
}

template <typename Fields>
void Describe(Fields& fields, Pkcs11Spec& pkcs11) {
  fields("libraryPath", pkcs11.library_path);
  fields("tokenLabel", pkcs11.token_label);
  fields("slotId", pkcs11.slot_id);
  fields("uri", pkcs11.uri);
  fields("pinSecret", pkcs11.pin_secret);
}

template <typename Fields>
void Describe(Fields& fields, FailoverSpec& failover) {
  fields("mode", failover.mode);
  fields("healthCheckInterval", failover.health_check_interval);
  fields("unhealthyThreshold", failover.unhealthy_threshold);
  fields("grantDuration", failover.grant_duration);
  fields("delay", failover.delay);
  fields("minInterval", failover.min_interval);
  fields("priorities", failover.priorities);
}

template <typename Fields>
void Describe(Fields& fields, MirroringSpec& mirroring) {
  fields("policy", mirroring.policy);
  fields("syncInterval", mirroring.sync_interval);
  fields("autoFailover", mirroring.auto_failover);
  fields("primaryNode", mirroring.primary_node);
  fields("targetNodes", mirroring.target_nodes);
  fields("standbyNodes", mirroring.standby_nodes);
  fields("minSyncMirrors", mirroring.min_sync_mirrors);
  fields("durability", mirroring.durability);
  fields("verifyInterval", mirroring.verify_interval);
  fields("failover", mirroring.failover);
  fields("endpoints", mirroring.endpoints);
}

template <typename Fields>
void Describe(Fields& fields, HSMDeviceSpec& spec) {
  fields("deviceType", spec.device_type);
  fields("nodeSelector", spec.node_selector);
  fields("discovery", spec.discovery);
  fields("pkcs11", spec.pkcs11);
  fields("maxDevices", spec.max_devices);
  fields("allowedNamespaces", spec.allowed_namespaces);
  fields("mirroring", spec.mirroring);
  if constexpr (Fields::kReading) {  // the older spellings; the newer wins where both are given
    UsbSpec usb;
    fields("usb", usb);
    if (!spec.discovery) spec.discovery.emplace();
    if (fields.Has("usb") && !spec.discovery->usb) spec.discovery->usb = usb;
    DevicePathSpec path;
    fields("devicePath", path);
    if (fields.Has("devicePath") && !spec.discovery->device_path)
      spec.discovery->device_path = path;
    if (*spec.discovery == DiscoverySpec{}) spec.discovery.reset();
    std::string library_path;
    fields("pkcs11LibraryPath", library_path);
    if (spec.pkcs11.library_path.empty()) spec.pkcs11.library_path = library_path;
  }
}

base::Result<HSMDevice> HSMDevice::FromJson(const nlohmann::json& document) {
  HSM_TRY(HSMDevice device, ReadDocument<HSMDevice>(document));
  HSM_RETURN_IF_ERROR(device.Validate());
  return device;
}

nlohmann::json HSMDevice::ToJson() const { return WriteDocument(*this); }
nlohmann::json HSMDevice::Schema() { return SchemaOf<HSMDevice>(); }

std::vector<std::string> HSMDevice::MemberNodes() const {
  std::vector<std::string> nodes;
  if (!spec.mirroring) return nodes;
  const auto add = [&](const std::string& node) {
    if (!node.empty() && std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
  };
  add(spec.mirroring->primary_node);
  for (const std::string& node : spec.mirroring->target_nodes) add(node);
  if (spec.mirroring->target_nodes.empty()) {
    for (const auto& [node, endpoint] : spec.mirroring->endpoints) add(node);
  }
  return nodes;
}

base::Error HSMDevice::NoSuchMember(std::string_view node) const {
  constexpr std::size_t kMostNamed = 8;
  std::vector<std::string> nodes = MemberNodes();
  const std::size_t others = nodes.size() - std::min(nodes.size(), kMostNamed);
  nodes.resize(nodes.size() - others);
  return {base::ErrorCode::kNotFound,
          fmt::format("node {} is not a member of device {}, which are {}{}", base::Printable(node),
                      metadata.name, fmt::join(nodes, ", "),
                      others > 0 ? fmt::format(" and {} more", others) : "")};
}

int HSMDevice::MinSyncMirrors(std::size_t members) const {
  if (policy() == MirroringPolicy::kNone) return 0;
  return spec.mirroring->min_sync_mirrors.value_or(members > 1 ? 1 : 0);
}

bool HSMDevice::IsStandby(std::string_view node) const {
  return spec.mirroring && std::ranges::find(spec.mirroring->standby_nodes, node) !=
                               spec.mirroring->standby_nodes.end();
}

bool HSMDevice::IsBehindAgents() const {
  if (!spec.mirroring || spec.mirroring->endpoints.empty()) return false;
  return std::ranges::all_of(spec.mirroring->endpoints,
                             [](const auto& one) { return one.second.starts_with("https:"); });
}

bool HSMDevice::Allows(std::string_view ns) const {
  if (ns == metadata.ns) return true;
  return std::ranges::any_of(spec.allowed_namespaces, [&](const std::string& allowed) {
    return allowed == "*" || allowed == ns;
  });
}

}  // namespace hsmops::cluster
