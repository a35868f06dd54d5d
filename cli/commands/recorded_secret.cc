#include "cli/commands/recorded_secret.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands/recorded_device.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::cli {

using cluster::HSMDevice;
using cluster::HSMSecret;
using nlohmann::json;

namespace {

json RecordedSecret(const HSMDevice& device, const HSMSecret& secret) {
  manager::SecretCoverage known;
  known.name = secret.HsmName();
  json document = manager::MirroredSecretOf(device, known);
  document["spec"].erase("keys");
  json& status = document["status"];
  status = {{"version", secret.status.version}, {"coverage", "unknown"}};
  if (secret.status.last_sync_time)
    status["lastSyncTime"] = base::FormatTime(*secret.status.last_sync_time);
  return document;
}

}  // namespace

std::vector<HSMSecret> VisibleHsmSecrets(Context& context) {
  const auto resources = context.OpenResources();
  if (!resources.ok()) return {};
  auto secrets =
      cluster::LoadAll<HSMSecret>(**resources, context.OnKubernetes() ? context.ns() : "");
  if (secrets.ok()) return std::move(secrets->items);
  context.Warn("what is delivered where is not known: " +
               base::Printable(secrets.error().message()));
  return {};
}

bool WasDelivered(const HSMSecret& secret, const HSMDevice& device) {
  return secret.AsksOf(device.metadata) && !secret.status.version.empty();
}

std::vector<json> RecordedSecrets(Context& context, const HSMDevice& device,
                                  const std::vector<HSMSecret>& secrets) {
  const auto& counts = device.status.secrets;
  context.Warn(fmt::format("what is delivered is shown as it is on record, {}; {}",
                           AsOf(context, device),
                           counts ? fmt::format("the device had {} secrets, {} of them on every "
                                                "member",
                                                counts->total, counts->full)
                                  : "how many secrets the device has is not on record"));
  std::vector<json> recorded;
  for (const HSMSecret& secret : secrets) {
    if (WasDelivered(secret, device)) recorded.push_back(RecordedSecret(device, secret));
  }
  return recorded;
}

}  // namespace hsmops::cli
