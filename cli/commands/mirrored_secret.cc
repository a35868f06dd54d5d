#include "cli/commands/mirrored_secret.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

using nlohmann::json;

namespace {

json Skeleton(const manager::Pool& pool, const std::string& name) {
  std::string path = name;
  std::replace(path.begin(), path.end(), '/', ':');
  return {{"apiVersion", "live.hsm.j5t.io/v1alpha1"},
          {"kind", "MirroredSecret"},
          {"metadata",
           {{"name", pool.device().metadata.name + ":" + base::Printable(path)},
            {"namespace", pool.device().metadata.ns}}},
          {"spec", {{"name", base::Printable(name)}}}};
}

}  // namespace

json MirroredSecretOf(const manager::Pool& pool, const manager::SecretCoverage& secret) {
  json document = Skeleton(pool, secret.name);
  document["spec"]["keys"] = json::array();
  for (const std::string& key : secret.keys)
    document["spec"]["keys"].push_back(base::Printable(key));
  json& status = document["status"];
  status["version"] = secret.legacy ? "" : secret.version.Full();
  status["coverage"] = secret.Summary();
  if (secret.written_at) status["lastSyncTime"] = base::FormatTime(*secret.written_at);
  if (!secret.reason.empty()) status["message"] = secret.reason;
  status["devices"] = json::array();
  for (const manager::HeldBy& held : secret.devices) {
    json device{{"nodeName", held.node}, {"state", manager::Name(held.holding)}};
    if (held.version != store::Version{}) device["version"] = held.version.Full();
    status["devices"].push_back(std::move(device));
  }
  return document;
}

json MirroredSecretOf(const manager::Pool& pool, const std::string& name,
                      const manager::Served& served, bool reveal) {
  json document = Skeleton(pool, name);
  document["spec"]["keys"] = json::array();
  for (const auto& [key, value] : served.secret->keys) {
    document["spec"]["keys"].push_back(key);
    if (reveal) document["data"][key] = base::Base64(value.view());
  }
  json& status = document["status"];
  status["version"] = served.secret->version.Full();
  status["servedFrom"] = {{"nodeName", served.node}, {"primary", served.by_primary}};
  if (served.secret->written_at != base::WallTime{})
    status["writtenAt"] = base::FormatTime(served.secret->written_at);
  if (!served.by_primary) {
    status["servedFrom"]["inSyncSet"] = served.in_sync_set;
    status["servedFrom"]["reason"] = base::Printable(served.why_not_primary);
  }
  return document;
}

}  // namespace hsmops::cli
