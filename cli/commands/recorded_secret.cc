#include "cli/commands/recorded_secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

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

// More namespaces than that are asked for at once.
constexpr std::size_t kFewNamespaces = 4;

// Where these devices may deliver to; "" for anywhere.
std::set<std::string> NamespacesServed(Context& context, const std::vector<HSMDevice>& devices) {
  if (!context.OnKubernetes()) return {""};
  std::set<std::string> served;
  for (const HSMDevice& device : devices) {
    served.insert(device.metadata.ns);
    for (const std::string& ns : device.spec.allowed_namespaces) served.insert(ns == "*" ? "" : ns);
  }
  return served;
}

// Adds those of a namespace; "" for all. False: they are not known, which is said.
bool AddHsmSecrets(Context& context, cluster::ResourceStore& resources, const std::string& ns,
                   std::vector<HSMSecret>& visible) {
  auto secrets = cluster::LoadAll<HSMSecret>(resources, ns);
  if (!secrets.ok()) {
    context.Warn(fmt::format("what is delivered in {} is not known: {}",
                             ns.empty() ? "all namespaces" : "namespace " + ns,
                             base::Printable(secrets.error().message())));
    return false;
  }
  std::ranges::move(secrets->items, std::back_inserter(visible));
  return true;
}

}  // namespace

std::vector<HSMSecret> VisibleHsmSecrets(Context& context, const std::vector<HSMDevice>& devices) {
  std::vector<HSMSecret> visible;
  const auto resources = context.OpenResources();
  if (!resources.ok()) return visible;
  std::set<std::string> served = NamespacesServed(context, devices);
  const bool all = served.contains("") || served.size() > kFewNamespaces;
  if (all && AddHsmSecrets(context, **resources, "", visible)) return visible;
  served.erase("");
  for (const std::string& ns : served) (void)AddHsmSecrets(context, **resources, ns, visible);
  return visible;
}

bool WasDelivered(const HSMSecret& secret, const HSMDevice& device) {
  return secret.AsksOf(device.metadata) && device.Allows(secret.metadata.ns) &&
         !secret.status.version.empty();
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
