#include "libhsmops/manager/delivery_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/printable.h"

namespace hsmops::manager {

using cluster::Condition;
using cluster::ConditionStatus;
using cluster::HSMDevice;
using cluster::HSMSecret;
using cluster::HSMSecretStatus;
using cluster::SyncStatus;

namespace {

std::string ForceOf(const HSMSecret& secret) {
  const auto found = secret.metadata.annotations.find(std::string(cluster::kForceSyncAnnotation));
  return found == secret.metadata.annotations.end() ? std::string() : found->second;
}

bool WasDelivered(const HSMSecret& secret) { return !secret.status.version.empty(); }

// Whether what the device holds is to be written, whatever the Secret is like: it is another
// version, or somebody asks for it.
bool IsNew(const HSMSecret& secret, const HeldVersion& held, const DeliveryMemory& memory) {
  if (ForceOf(secret) != secret.status.last_force_sync) return true;
  if (!secret.spec.auto_sync) return !WasDelivered(secret);
  if (secret.status.version != memory.delivered.Full()) return true;  // it was not written down
  // A mirror may be behind what was delivered, and must not undo it.
  return held.version != memory.delivered && (held.by_primary || held.version > memory.delivered);
}

// Whether the Secret is as it was written, as far as that is to be kept up.
bool IsKept(const HSMSecret& secret, const TargetSecret& target, const DeliveryMemory& memory) {
  return !secret.spec.auto_sync ||
         (target.exists && target.ours && target.version == memory.written);
}

ConditionStatus Is(bool value) { return value ? ConditionStatus::kTrue : ConditionStatus::kFalse; }

}  // namespace

store::Version LastDelivered(const HSMSecret& secret, const DeliveryMemory& memory) {
  return std::max(memory.delivered,
                  ParseFullVersion(secret.status.version).value_or(store::Version{}));
}

std::optional<ChosenDevice> ChooseDevice(const HSMSecret& secret,
                                         const std::vector<HSMDevice>& devices,
                                         const std::string& ns) {
  const auto& ref = secret.spec.device_ref;
  if (ref && !ref->ns.empty() && ref->ns != ns) return std::nullopt;
  if (!ref && devices.size() > 1) {
    return ChosenDevice{nullptr,
                        {DeliveryAction::kNone, "AmbiguousDevice",
                         fmt::format("there are {} devices in namespace {}: name one in "
                                     "spec.deviceRef",
                                     devices.size(), ns)}};
  }
  const auto found = std::ranges::find_if(
      devices, [&](const HSMDevice& device) { return !ref || device.metadata.name == ref->name; });
  if (found != devices.end()) return ChosenDevice{&*found, {}};
  return ChosenDevice{
      nullptr,
      {DeliveryAction::kNone, "DeviceNotFound",
       ref ? fmt::format("there is no HSMDevice {} in namespace {}", base::Printable(ref->name), ns)
           : fmt::format("there is no HSMDevice in namespace {}", ns)}};
}

std::optional<DeliveryVerdict> WhyNotAtAll(const HSMSecret& secret, const HSMDevice& device) {
  if (!device.Allows(secret.metadata.ns)) {
    return DeliveryVerdict{
        DeliveryAction::kNone, "NamespaceNotAllowed",
        fmt::format("HSMDevice {} does not allow namespace {}: its spec.allowedNamespaces would "
                    "have to name it",
                    device.metadata.name, secret.metadata.ns)};
  }
  if (const auto name = store::SecretName::Parse(secret.HsmName()); !name.ok())
    return DeliveryVerdict{DeliveryAction::kNone, "InvalidName", name.error().message()};
  return std::nullopt;
}

DeliveryVerdict Judge(const HSMSecret& secret, const HeldVersion& held, const TargetSecret& target,
                      const DeliveryMemory& memory) {
  using Action = DeliveryAction;
  if (!target.known) return {Action::kNone, "TargetUnknown", target.why};
  const bool foreign = target.exists && (!target.ours || !target.controller.empty());
  if (foreign && (!secret.spec.adopt || !target.controller.empty())) {
    return {Action::kNone, "ForeignSecret",
            target.controller.empty()
                ? fmt::format("Secret {} is there and not ours: spec.adopt takes it over, or name "
                              "another in spec.secretName",
                              secret.SecretName())
                : fmt::format("Secret {} is controlled by {}", secret.SecretName(),
                              base::Printable(target.controller))};
  }
  if (held.state == HeldVersion::State::kUnknown)
    return {Action::kNone, "DeviceUnavailable", held.why};
  if (held.state == HeldVersion::State::kAbsent) {
    const bool remove = target.exists && target.ours &&
                        secret.spec.deletion_policy == cluster::DeletionPolicy::kDelete;
    return {remove ? Action::kRemove : Action::kNone, "SecretNotFound",
            fmt::format("the device has no secret {}{}", base::Printable(secret.HsmName()),
                        target.exists && target.ours && !remove
                            ? "; the Secret keeps its last value (deletionPolicy Retain)"
                            : "")};
  }
  if (!held.by_primary && held.version < LastDelivered(secret, memory)) {
    return {Action::kNone, "DeviceUnavailable",
            fmt::format("the Primary does not answer, and {} holds an older version than was "
                        "delivered",
                        held.node)};
  }
  if (IsNew(secret, held, memory)) return {Action::kDeliver, "Delivering", ""};
  if (IsKept(secret, target, memory)) return {Action::kNone, "InSync", ""};
  if (!memory.contended || !target.exists) return {Action::kDeliver, "Delivering", ""};
  return {Action::kNone, "Contended",
          fmt::format("Secret {} is changed back by somebody as often as it is written: it is "
                      "written again after a pause; see who with kubectl get secret {} -n {} "
                      "--show-managed-fields -o yaml",
                      secret.SecretName(), secret.SecretName(), secret.metadata.ns)};
}

HSMSecretStatus StatusAfter(const HSMSecret& secret, const std::string& device,
                            const DeliveryVerdict& verdict,
                            const std::optional<Delivered>& delivered,
                            const std::optional<DeliveryFailure>& failure, base::WallTime now) {
  HSMSecretStatus status = secret.status;
  const bool in_sync = delivered || (verdict.reason == "InSync" && !failure);
  const std::string reason = failure ? failure->reason : in_sync ? "InSync" : verdict.reason;
  const std::string message = base::Printable(failure   ? failure->message
                                              : in_sync ? ""
                                                        : verdict.message);
  const bool waits = reason == "DeviceUnavailable" || reason == "TargetUnknown" ||
                     reason == "DeviceNotFound" || reason == "AmbiguousDevice" ||
                     reason == "Contended";
  status.observed_generation = secret.metadata.generation;
  // What was delivered stays with who asked for it; it may be old by now.
  const bool stale = !in_sync && WasDelivered(secret);
  status.sync_status = in_sync  ? SyncStatus::kInSync
                       : !waits ? SyncStatus::kError
                       : stale  ? SyncStatus::kOutOfSync
                                : SyncStatus::kPending;
  status.last_error = message;
  const bool known = delivered && delivered->unchanged &&
                     ForceOf(secret) == status.last_force_sync &&
                     delivered->version.Full() == status.version && status.last_sync_time;
  if (delivered && !known) {
    status.last_sync_time = now;
    status.version = delivered->version.Full();
    status.served_from = delivered->node;
    status.last_force_sync = ForceOf(secret);
    status.secret_ref = cluster::ObjectRef{secret.SecretName(), ""};
    status.device_sync_status = {
        {delivered->node, device, SyncStatus::kInSync, status.version, now, ""}};
  } else if (!delivered && verdict.action == DeliveryAction::kRemove && !failure) {
    status.version.clear();
    status.secret_ref.reset();
    status.device_sync_status.clear();
  }
  const auto set = [&](const char* type, bool value, const std::string& why) {
    cluster::SetCondition(
        status.conditions,
        Condition{
            type, Is(value), why.empty() ? "AsExpected" : why,
            value == (std::string(type) == "Ready" || std::string(type) == "Synced") ? "" : message,
            secret.metadata.generation, now},
        now);
  };
  set("Ready", in_sync || stale, in_sync ? "InSync" : stale ? "KeepsLastValue" : reason);
  set("Synced", in_sync, reason);
  set("Stale", stale, stale ? reason : "");
  set("Conflict", reason == "ForeignSecret", reason == "ForeignSecret" ? reason : "");
  return status;
}

std::string EventBetween(const HSMSecretStatus& before, const HSMSecretStatus& after) {
  const auto is = [](const HSMSecretStatus& status, const char* type) {
    const Condition* condition = cluster::FindCondition(status.conditions, type);
    return condition != nullptr && condition->status == ConditionStatus::kTrue;
  };
  const auto reason = [](const HSMSecretStatus& status) {
    const Condition* condition = cluster::FindCondition(status.conditions, "Synced");
    return condition == nullptr ? std::string() : condition->reason;
  };
  if (is(after, "Conflict") && !is(before, "Conflict")) return "Conflict";
  if (reason(after) == "NamespaceNotAllowed" && reason(before) != "NamespaceNotAllowed")
    return "Denied";
  if (is(after, "Stale") && !is(before, "Stale")) return "Stale";
  if (is(after, "Synced") && !is(before, "Synced") && !before.conditions.empty()) return "Synced";
  return {};
}

std::optional<store::Version> ParseFullVersion(const std::string& text) {
  const auto parsed = store::Expectation::Parse(text);
  if (!parsed.ok() || parsed->absent || !parsed->nonce) return std::nullopt;
  return store::Version{{parsed->counter, *parsed->nonce}, parsed->lsn};
}

}  // namespace hsmops::manager
