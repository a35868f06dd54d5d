// What must fit together in an HSMDevice, beyond the types of its fields.
#include <algorithm>
#include <cctype>
#include <set>

#include "libhsmops/cluster/endpoint.h"
#include "libhsmops/cluster/fields.h"
#include "libhsmops/cluster/hsm_device.h"

namespace hsmops::cluster {
namespace {

using std::chrono::seconds;

class DeviceCheck {
 public:
  explicit DeviceCheck(const HSMDevice& device)
      : spec_(device.spec),
        members_(SaysWhoIsMember(device) ? device.MemberNodes() : std::vector<std::string>()) {}

  base::Result<void> Run() {
    CheckPkcs11();
    if (spec_.discovery && spec_.discovery->usb) CheckUsb(*spec_.discovery->usb);
    for (std::size_t i = 0; i < spec_.allowed_namespaces.size(); ++i) {
      const std::string& ns = spec_.allowed_namespaces[i];
      if (ns != "*") Expect(CheckNamespace(ns), fmt::format("spec.allowedNamespaces[{}]", i));
    }
    if (spec_.max_devices < 1)
      problems_.Add("spec.maxDevices", fmt::format("{} is less than 1", spec_.max_devices));
    if (spec_.mirroring) CheckMirroring(*spec_.mirroring);
    return problems_.Finish();
  }

 private:
  // With a Primary alone who else is one is found out: where agents are, EndpointSlices say it.
  static bool SaysWhoIsMember(const HSMDevice& device) {
    const auto& mirroring = device.spec.mirroring;
    return mirroring && !(mirroring->target_nodes.empty() && mirroring->endpoints.empty());
  }

  void Expect(const base::Result<void>& fits, std::string_view path) {
    if (!fits.ok()) problems_.Add(path, fits.error().message());
  }

  void Within(std::string_view path, seconds value, seconds least, seconds most) {
    if (value >= least && value <= most) return;
    problems_.Add(path, fmt::format("{} is not within {} to {} seconds", value.count(),
                                    least.count(), most.count()));
  }

  bool IsMember(const std::string& node) const {
    return std::ranges::find(members_, node) != members_.end();
  }

  std::string Members() const {
    std::string text;
    for (const std::string& node : members_)
      text += (text.empty() ? "" : ", ") + base::Printable(node);
    return text;
  }

  void CheckPkcs11() {
    const Pkcs11Spec& pkcs11 = spec_.pkcs11;
    if (!pkcs11.uri.empty()) Expect(CheckPkcs11Uri(pkcs11.uri), "spec.pkcs11.uri");
    if (pkcs11.slot_id && *pkcs11.slot_id < 0) {
      problems_.Add("spec.pkcs11.slotId", fmt::format("{} is less than 0", *pkcs11.slot_id));
    }
    if (pkcs11.token_label.size() > 32) {
      problems_.Add("spec.pkcs11.tokenLabel",
                    fmt::format("is {} bytes long; a token's label has at most 32",
                                pkcs11.token_label.size()));
    }
    if (pkcs11.pin_secret) {
      Expect(CheckName(pkcs11.pin_secret->name), "spec.pkcs11.pinSecret.name");
      if (pkcs11.pin_secret->key.empty())
        problems_.Add("spec.pkcs11.pinSecret.key", "must not be empty");
    }
  }

  void CheckUsb(const UsbSpec& usb) {
    const auto fits = [](std::string_view id) {
      if (id.starts_with("0x") || id.starts_with("0X")) id.remove_prefix(2);
      return id.empty() || (id.size() <= 4 && std::ranges::all_of(id, [](unsigned char c) {
                              return std::isxdigit(c) != 0;
                            }));
    };
    for (const auto& [field, id] :
         {std::pair("vendorId", usb.vendor_id), std::pair("productId", usb.product_id)}) {
      if (!fits(id))
        problems_.Add(fmt::format("spec.discovery.usb.{}", field),
                      fmt::format("\"{}\" is not one to four hex digits", base::Printable(id)));
    }
  }

  void CheckMirroring(const MirroringSpec& mirroring) {
    CheckNodes(mirroring);
    CheckCounts(mirroring);
    Within("spec.mirroring.syncInterval", mirroring.sync_interval, seconds(1), kMaxInterval);
    Within("spec.mirroring.verifyInterval", mirroring.verify_interval, seconds(1), kMaxInterval);
    const FailoverSpec& failover = mirroring.failover;
    const std::string path = "spec.mirroring.failover.";
    const auto interval = failover.health_check_interval;
    if (interval < kMinHealthCheckInterval || interval > kMaxInterval)
      problems_.Add(path + "healthCheckInterval",
                    fmt::format("{} ms is not within {} ms to {} seconds", interval.count(),
                                kMinHealthCheckInterval.count(), kMaxInterval.count()));
    Within(path + "grantDuration", failover.grant_duration, kMinGrantDuration, kMaxGrantDuration);
    Within(path + "delay", failover.delay, seconds(0), kMaxInterval);
    Within(path + "minInterval", failover.min_interval, seconds(0), kMaxInterval);
    if (failover.unhealthy_threshold < 1) {
      problems_.Add(path + "unhealthyThreshold",
                    fmt::format("{} is less than 1", failover.unhealthy_threshold));
    }
  }

  void CheckNodes(const MirroringSpec& mirroring) {
    if (!mirroring.primary_node.empty()) {
      Expect(CheckName(mirroring.primary_node), "spec.mirroring.primaryNode");
      const bool listed = !mirroring.target_nodes.empty() || mirroring.endpoints.empty() ||
                          mirroring.endpoints.contains(mirroring.primary_node);
      if (!listed)
        NotAMember("spec.mirroring.primaryNode", mirroring.primary_node, EndpointNodes(mirroring));
    }
    CheckList("spec.mirroring.targetNodes", mirroring.target_nodes, false);
    CheckList("spec.mirroring.standbyNodes", mirroring.standby_nodes, true);
    if (!mirroring.primary_node.empty() &&
        std::ranges::find(mirroring.standby_nodes, mirroring.primary_node) !=
            mirroring.standby_nodes.end()) {
      problems_.Add("spec.mirroring.standbyNodes",
                    fmt::format("\"{}\" is the primaryNode and cannot be a standby",
                                base::Printable(mirroring.primary_node)));
    }
    for (const auto& [node, priority] : mirroring.failover.priorities) {
      if (!members_.empty() && !IsMember(node))
        NotAMember("spec.mirroring.failover.priorities", node, Members());
    }
    for (const auto& [node, endpoint] : mirroring.endpoints) {
      const std::string path = fmt::format("spec.mirroring.endpoints[{}]", base::Printable(node));
      Expect(CheckName(node), path);
      Expect(CheckEndpoint(endpoint), path);
      if (!mirroring.target_nodes.empty() && !IsMember(node))
        NotAMember("spec.mirroring.endpoints", node, Members());
    }
  }

  static std::string EndpointNodes(const MirroringSpec& mirroring) {
    std::string text;
    for (const auto& [node, endpoint] : mirroring.endpoints)
      text += (text.empty() ? "" : ", ") + base::Printable(node);
    return text;
  }

  void NotAMember(std::string_view path, const std::string& node, const std::string& members) {
    problems_.Add(path,
                  fmt::format("\"{}\" is not one of the nodes {}", base::Printable(node), members));
  }

  void CheckList(const std::string& path, const std::vector<std::string>& nodes,
                 bool must_be_members) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      Expect(CheckName(nodes[i]), item);
      if (!seen.insert(nodes[i]).second)
        problems_.Add(item, fmt::format("\"{}\" is there twice", base::Printable(nodes[i])));
      if (must_be_members && !members_.empty() && !IsMember(nodes[i]))
        NotAMember(item, nodes[i], Members());
    }
  }

  void CheckCounts(const MirroringSpec& mirroring) {
    const auto members = static_cast<int>(std::min<std::size_t>(members_.size(), 1U << 20));
    if (members > kMaxMembers) {
      problems_.Add("spec.mirroring",
                    fmt::format("{} members are more than the {} that one device may have", members,
                                kMaxMembers));
    }
    if (members > spec_.max_devices && spec_.max_devices >= 1) {
      problems_.Add("spec.maxDevices", fmt::format("{} is less than the {} nodes {}",
                                                   spec_.max_devices, members, Members()));
    }
    if (!mirroring.min_sync_mirrors) return;
    const int k = *mirroring.min_sync_mirrors;
    if (k < 0) problems_.Add("spec.mirroring.minSyncMirrors", fmt::format("{} is less than 0", k));
    if (members > 0 && k >= members) {
      problems_.Add(
          "spec.mirroring.minSyncMirrors",
          fmt::format("{} mirrors cannot hold a write: {} node{} ({}) leave{} {} for mirrors", k,
                      members, members == 1 ? "" : "s", Members(), members == 1 ? "s" : "",
                      members - 1));
    }
  }

  const HSMDeviceSpec& spec_;
  const std::vector<std::string> members_;
  Problems problems_;
};

}  // namespace

base::Result<void> HSMDevice::Validate() const { return DeviceCheck(*this).Run(); }

}  // namespace hsmops::cluster
