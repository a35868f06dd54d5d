// DeliveryPlan: what is to be done for one HSMSecret, and what its status says then. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/manager/device_versions.h"

namespace hsmops::manager {

// What is known of the Secret that it asks for.
struct TargetSecret {
  bool known = false;  // whether it exists; else `why`
  std::string why;
  bool exists = false;
  bool ours = false;       // this HSMSecret is its owner
  std::string controller;  // another object that controls it, "Kind name"; empty: none
  std::string version;     // its resourceVersion
};

// What a manager remembers of what it did, since it leads.
struct DeliveryMemory {
  std::string written;       // the Secret's resourceVersion then; empty: nothing was written yet
  store::Version delivered;  // of the secret
  bool contended = false;    // somebody has changed back what was written, again and again
};

enum class DeliveryAction : std::uint8_t {
  kNone,     // it is as it should be, or cannot be otherwise
  kDeliver,  // read the secret and write the Secret
  kRemove,   // the Secret, since the secret is gone and deletionPolicy says so
};

struct DeliveryVerdict {
  DeliveryAction action = DeliveryAction::kNone;
  // "InSync", "Delivering", "DeviceNotFound", "AmbiguousDevice", "NamespaceNotAllowed",
  // "InvalidName", "TargetUnknown", "ForeignSecret", "DeviceUnavailable", "SecretNotFound",
  // "Contended".
  std::string reason;
  std::string message;
};

// The device that it asks for, of those in the manager's namespace. nullptr, with a verdict's
// reason and message: none. nullopt: it asks for one of another namespace, and is none of ours to
// judge.
struct ChosenDevice {
  const cluster::HSMDevice* device = nullptr;
  DeliveryVerdict none;
};
std::optional<ChosenDevice> ChooseDevice(const cluster::HSMSecret& secret,
                                         const std::vector<cluster::HSMDevice>& devices,
                                         const std::string& ns);

// Before anything of the device or of the Secret is looked at: why nothing is to be done. nullopt:
// go on.
std::optional<DeliveryVerdict> WhyNotAtAll(const cluster::HSMSecret& secret,
                                           const cluster::HSMDevice& device);
DeliveryVerdict Judge(const cluster::HSMSecret& secret, const HeldVersion& held,
                      const TargetSecret& target, const DeliveryMemory& memory);

// Of something that was tried and failed: "SecretTooLarge", "WriteFailed", "ReadFailed".
struct DeliveryFailure {
  std::string reason;
  std::string message;
};
// What was delivered, and from where.
struct Delivered {
  store::Version version;
  std::string node;
  bool unchanged = false;  // it was there already, as it is
};

// The status after this. `delivered`: just now; `failure`: it was tried. Its times change only with
// what it says.
cluster::HSMSecretStatus StatusAfter(const cluster::HSMSecret& secret, const std::string& device,
                                     const DeliveryVerdict& verdict,
                                     const std::optional<Delivered>& delivered,
                                     const std::optional<DeliveryFailure>& failure,
                                     base::WallTime now);

// "Synced", "Stale", "Conflict", "Denied": what came to be between the two that is worth an Event;
// empty: nothing. The first delivery is none: its status says it.
std::string EventBetween(const cluster::HSMSecretStatus& before,
                         const cluster::HSMSecretStatus& after);

// The newest version that a Secret was made of, by this leader or by one before it.
store::Version LastDelivered(const cluster::HSMSecret& secret, const DeliveryMemory& memory);

// As status.version has it, back. nullopt: none, or what we did not write.
std::optional<store::Version> ParseFullVersion(const std::string& text);

}  // namespace hsmops::manager
