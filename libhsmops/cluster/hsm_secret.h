// HSMSecret: asks for a Kubernetes Secret with the keys of a secret on an HSMDevice.
//
// Values only. No status field ever holds anything computed from a value alone.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

// Any new value of this annotation asks for a sync now.
inline constexpr std::string_view kForceSyncAnnotation = "hsm.j5t.io/force-sync";

enum class DeletionPolicy : std::uint8_t { kRetain, kDelete };
std::span<const Named<DeletionPolicy>> NamesOf(DeletionPolicy);
enum class SyncStatus : std::uint8_t { kUnset, kInSync, kOutOfSync, kError, kPending };
std::span<const Named<SyncStatus>> NamesOf(SyncStatus);

struct HSMSecretSpec {
  std::optional<ObjectRef> device_ref;  // absent: the one device that there is
  std::optional<ObjectRef> parent_ref;  // which operator instance is meant, when there are several
  std::string hsm_path;                 // the secret's name on the device; empty: metadata.name
  std::string secret_name;              // of the Kubernetes Secret; empty: metadata.name
  std::string secret_type = "Opaque";
  bool auto_sync = true;
  std::chrono::seconds sync_interval{300};
  bool adopt = false;  // take over a Secret that we did not make
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
  bool operator==(const HSMSecretSpec&) const = default;
};

struct DeviceSyncStatus {
  std::string node_name;
  std::string device_name;
  SyncStatus status = SyncStatus::kUnset;
  std::string version;
  std::optional<base::WallTime> last_sync_time;
  std::string last_error;
  bool operator==(const DeviceSyncStatus&) const = default;
};

struct HSMSecretStatus {
  std::int64_t observed_generation = 0;
  SyncStatus sync_status = SyncStatus::kUnset;
  std::optional<base::WallTime> last_sync_time;
  std::string last_error;
  std::vector<DeviceSyncStatus> device_sync_status;
  std::string served_from;  // the node whose copy was delivered last
  std::string version;
  std::string last_force_sync;  // the annotation's value that was honoured last
  std::optional<ObjectRef> secret_ref;
  std::vector<Condition> conditions;
  bool operator==(const HSMSecretStatus&) const = default;
};

struct HSMSecret {
  static constexpr Kind kKind = Kind::kHsmSecret;
  ObjectMeta metadata;
  HSMSecretSpec spec;
  HSMSecretStatus status;

  // As HSMDevice::FromJson.
  static base::Result<HSMSecret> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;
  // The structural schema of spec and status, for a CustomResourceDefinition.
  static nlohmann::json Schema();
  base::Result<void> Validate() const;

  const std::string& HsmName() const {
    return spec.hsm_path.empty() ? metadata.name : spec.hsm_path;
  }
  const std::string& SecretName() const {
    return spec.secret_name.empty() ? metadata.name : spec.secret_name;
  }

  // Whether it is this device's: named, in its namespace where none is, or the one that there is.
  bool AsksOf(const ObjectMeta& device) const;

  bool operator==(const HSMSecret&) const = default;
};

}  // namespace hsmops::cluster
