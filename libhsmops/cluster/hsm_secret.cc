#include "libhsmops/cluster/hsm_secret.h"

#include "libhsmops/cluster/document.h"

namespace hsmops::cluster {
namespace {

constexpr Named<DeletionPolicy> kDeletionNames[] = {{DeletionPolicy::kRetain, "Retain"},
                                                    {DeletionPolicy::kDelete, "Delete"}};
constexpr Named<SyncStatus> kSyncNames[] = {{SyncStatus::kUnset, ""},
                                            {SyncStatus::kInSync, "InSync"},
                                            {SyncStatus::kOutOfSync, "OutOfSync"},
                                            {SyncStatus::kError, "Error"},
                                            {SyncStatus::kPending, "Pending"}};

}  // namespace

std::span<const Named<DeletionPolicy>> NamesOf(DeletionPolicy) { return kDeletionNames; }
std::span<const Named<SyncStatus>> NamesOf(SyncStatus) { return kSyncNames; }

template <typename Fields>
void Describe(Fields& fields, HSMSecretSpec& spec) {
  fields("deviceRef", spec.device_ref);
  fields("parentRef", spec.parent_ref);
  fields("hsmPath", spec.hsm_path);
  fields("secretName", spec.secret_name);
  fields("secretType", spec.secret_type);
  fields("autoSync", spec.auto_sync);
  fields("syncInterval", spec.sync_interval);
  fields("adopt", spec.adopt);
  fields("deletionPolicy", spec.deletion_policy);
}

template <typename Fields>
void Describe(Fields& fields, DeviceSyncStatus& status) {
  fields("nodeName", status.node_name);
  fields("deviceName", status.device_name);
  fields("status", status.status);
  fields.IntOrString("version", status.version);  // the older operator counts
  fields("lastSyncTime", status.last_sync_time);
  fields("lastError", status.last_error);
}

template <typename Fields>
void Describe(Fields& fields, HSMSecretStatus& status) {
  if (Fields::kReading || status.observed_generation != 0)
    fields("observedGeneration", status.observed_generation);
  fields("syncStatus", status.sync_status);
  fields("lastSyncTime", status.last_sync_time);
  fields("lastError", status.last_error);
  fields("deviceSyncStatus", status.device_sync_status);
  fields("servedFrom", status.served_from);
  fields("version", status.version);
  fields("lastForceSync", status.last_force_sync);
  fields("secretRef", status.secret_ref);
  fields("conditions", status.conditions);
}

base::Result<HSMSecret> HSMSecret::FromJson(const nlohmann::json& document) {
  HSM_TRY(HSMSecret secret, ReadDocument<HSMSecret>(document));
  HSM_RETURN_IF_ERROR(secret.Validate());
  return secret;
}

nlohmann::json HSMSecret::ToJson() const { return WriteDocument(*this); }
nlohmann::json HSMSecret::Schema() { return SchemaOf<HSMSecret>(); }

bool HSMSecret::AsksOf(const ObjectMeta& device) const {
  if (!spec.device_ref) return true;
  if (spec.device_ref->name != device.name) return false;
  return spec.device_ref->ns.empty() || spec.device_ref->ns == device.ns;
}

base::Result<void> HSMSecret::Validate() const {
  Problems problems;
  if (!spec.secret_name.empty()) {
    if (const auto fits = CheckName(spec.secret_name); !fits.ok())
      problems.Add("spec.secretName", fits.error().message());
  }
  if (spec.hsm_path.size() > kMaxNameBytes) {
    problems.Add("spec.hsmPath", fmt::format("is {} bytes long, at most {} are allowed",
                                             spec.hsm_path.size(), kMaxNameBytes));
  }
  if (spec.secret_type.empty()) problems.Add("spec.secretType", "must not be empty");
  if (spec.sync_interval < std::chrono::seconds(1)) {
    problems.Add("spec.syncInterval",
                 fmt::format("{} is less than 1 second", spec.sync_interval.count()));
  }
  return problems.Finish();
}

}  // namespace hsmops::cluster
