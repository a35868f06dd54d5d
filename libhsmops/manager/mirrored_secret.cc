#include "libhsmops/manager/mirrored_secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

json Skeleton(const cluster::HSMDevice& device, const std::string& name,
              const store::Version& version) {
  json metadata{{"name", MirroredName(device.metadata.name, base::Printable(name))},
                {"namespace", device.metadata.ns},
                {"labels", {{kDeviceLabel, device.metadata.name}}}};
  if (version != store::Version{}) metadata["resourceVersion"] = version.Full();
  return {{"apiVersion", fmt::format("{}/{}", kLiveGroup, kLiveVersion)},
          {"kind", "MirroredSecret"},
          {"metadata", std::move(metadata)},
          {"spec", {{"name", base::Printable(name)}}}};
}

}  // namespace

json MirroredSecretOf(const cluster::HSMDevice& device, const SecretCoverage& secret) {
  json document = Skeleton(device, secret.name, secret.version);
  document["spec"]["keys"] = json::array();
  for (const std::string& key : secret.keys)
    document["spec"]["keys"].push_back(base::Printable(key));
  json& status = document["status"];
  status["version"] = secret.legacy ? "" : secret.version.Full();
  status["coverage"] = secret.Summary();
  if (secret.written_at) status["lastSyncTime"] = base::FormatTime(*secret.written_at);
  if (!secret.reason.empty()) status["message"] = secret.reason;
  status["devices"] = json::array();
  for (const HeldBy& held : secret.devices) {
    json member{{"nodeName", held.node}, {"state", Name(held.holding)}};
    if (held.version != store::Version{}) member["version"] = held.version.Full();
    status["devices"].push_back(std::move(member));
  }
  return document;
}

json MirroredSecretOf(const cluster::HSMDevice& device, const std::string& name,
                      const Served& served) {
  json document = Skeleton(device, name, served.secret->version);
  document["spec"]["keys"] = json::array();
  for (const auto& [key, value] : served.secret->keys) document["spec"]["keys"].push_back(key);
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

json MirroredSecretOf(const cluster::HSMDevice& device, const std::string& name,
                      const mirror::Acknowledged& written) {
  json document = Skeleton(device, name, written.version);
  json& status = document["status"];
  status["version"] = written.version.Full();
  status["devices"] = json::array();
  for (const std::string& node : written.nodes)
    status["devices"].push_back({{"nodeName", node},
                                 {"state", Name(Holding::kEqual)},
                                 {"version", written.version.Full()}});
  if (written.repeated) status["repeated"] = true;
  return document;
}

json DiffOf(const std::string& left_node, const store::Inventory& left,
            const std::string& right_node, const store::Inventory& right) {
  json items = json::array();
  for (const Difference& d : Differences(left_node, left, right_node, right)) {
    json item{{"name", base::Printable(d.name)}, {"difference", d.what}};
    if (d.left) item[left_node] = d.left->Full();
    if (d.right) item[right_node] = d.right->Full();
    items.push_back(std::move(item));
  }
  const auto held = std::ranges::count_if(left.items, [](const store::InventoryItem& item) {
    return item.state != store::InventoryItem::State::kTombstone;
  });
  return {{"apiVersion", "v1"},
          {"kind", "List"},
          {"metadata", {{"secrets", held}}},
          {"items", std::move(items)}};
}

std::string MirroredName(const std::string& device, const std::string& secret) {
  std::string path = secret;
  std::ranges::replace(path, '/', ':');
  return device + ":" + path;
}

Result<DeviceAndSecret> ParseMirroredName(const std::string& name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("\"{}\" is no DEVICE:SEGMENT[:SEGMENT…]", base::Printable(name)));
  }
  const std::string device = name.substr(0, colon);
  HSM_RETURN_IF_ERROR(cluster::CheckName(device));
  std::string path = name.substr(colon + 1);
  if (path.find('/') != std::string::npos)
    return Error(ErrorCode::kInvalid, "segments of a MirroredSecret's name are joined by ':'");
  std::ranges::replace(path, ':', '/');
  HSM_TRY(store::SecretName secret, store::SecretName::Parse(path));
  return DeviceAndSecret{device, std::move(secret)};
}

}  // namespace hsmops::manager
