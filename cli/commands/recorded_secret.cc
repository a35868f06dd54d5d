#include "cli/commands/recorded_secret.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
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

// Adds those of a namespace; "" for all. Why they are not known.
std::optional<base::Error> AddHsmSecrets(cluster::ResourceStore& resources, const std::string& ns,
                                         std::vector<HSMSecret>& visible) {
  auto secrets = cluster::LoadAll<HSMSecret>(resources, ns);
  if (!secrets.ok()) return secrets.error();
  std::ranges::move(secrets->items, std::back_inserter(visible));
  return std::nullopt;
}

}  // namespace

VisibleSecrets VisibleHsmSecrets(Context& context, const std::vector<HSMDevice>& devices) {
  VisibleSecrets visible;
  const auto resources = context.OpenResources();
  if (!resources.ok()) return {{}, false};
  std::set<std::string> served = NamespacesServed(context, devices);
  std::vector<std::string> unread;
  std::optional<base::Error> why;
  const auto note = [&](const std::string& where, const base::Error& error) {
    unread.push_back(where);
    if (!why) why = error;
  };
  const bool anywhere = served.erase("") > 0;
  if (anywhere || served.size() > kFewNamespaces) {
    const auto failed = AddHsmSecrets(**resources, "", visible.items);
    if (!failed) return visible;
    if (anywhere) note("other namespaces", *failed);
  }
  for (const std::string& ns : served) {
    if (const auto failed = AddHsmSecrets(**resources, ns, visible.items)) note(ns, *failed);
  }
  visible.all = unread.empty();
  if (why)
    context.Warn(fmt::format("what is delivered in {} is not known: {}", fmt::join(unread, ", "),
                             base::Printable(why->message())));
  return visible;
}

bool WasDelivered(const HSMSecret& secret, const HSMDevice& device) {
  return secret.AsksOf(device.metadata) && device.Allows(secret.metadata.ns) &&
         !secret.status.version.empty();
}

std::map<std::string, const HSMSecret*> LastDeliveries(const std::vector<HSMSecret>& secrets,
                                                       const HSMDevice& device) {
  std::map<std::string, const HSMSecret*> last;
  for (const HSMSecret& secret : secrets) {
    if (!WasDelivered(secret, device)) continue;
    const HSMSecret*& known = last[secret.HsmName()];
    if (known == nullptr || known->status.last_sync_time < secret.status.last_sync_time)
      known = &secret;
  }
  return last;
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
  for (const auto& [name, secret] : LastDeliveries(secrets, device))
    recorded.push_back(RecordedSecret(device, *secret));
  return recorded;
}

}  // namespace hsmops::cli
