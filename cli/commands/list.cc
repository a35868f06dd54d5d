#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>

#include "cli/commands/live_device.h"
#include "cli/commands/recorded_secret.h"
#include "cli/commands/verbs.h"
#include "cli/device_choice.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::cli {
namespace {

using kube::ItemsIn;
using kube::TextIn;
using nlohmann::json;

constexpr std::string_view kSortBy[] = {"name", "version", "coverage", "age"};

struct ListOptions {
  DeviceChoice devices;
  bool wide = false;
  std::string sort_by = "name";
};

// One device's part of the answer.
struct Listed {
  cluster::HSMDevice device;
  std::map<std::string, std::string> deliveries;
  bool all_deliveries = true;                      // else some are not known
  std::vector<json> secrets;                       // MirroredSecrets
  std::map<std::string, std::string> unknown;      // nodes that could not be asked, with why
  std::map<std::string, std::size_t> quarantined;  // versions, by node
};

// HSMSecrets that ask for a secret of this device, by its name there; where managers deliver, those
// that have had it.
std::map<std::string, std::string> Deliveries(Context& context,
                                              const std::vector<cluster::HSMSecret>& secrets,
                                              const cluster::HSMDevice& device) {
  std::map<std::string, std::string> deliveries;
  for (const cluster::HSMSecret& secret : secrets) {
    const bool shown =
        context.OnKubernetes() ? WasDelivered(secret, device) : secret.AsksOf(device.metadata);
    if (!shown) continue;
    std::string& cell = deliveries[secret.HsmName()];
    cell += (cell.empty() ? "" : ",") + secret.metadata.ns + "/" + secret.metadata.name;
  }
  return deliveries;
}

using Order = std::tuple<std::uint64_t, std::uint64_t, std::string>;
Order OrderOf(const json& secret, const std::string& by) {
  if (by == "version") {
    const auto version = store::Expectation::Parse(TextIn(secret, "/status/version"));
    return version.ok() ? Order{version->counter, version->lsn, ""} : Order{};
  }
  return {0, 0,
          TextIn(secret, by == "coverage" ? "/status/coverage"
                         : by == "age"    ? "/status/lastSyncTime"
                                          : "/spec/name")};
}

void Sort(std::vector<json>& secrets, const std::string& by) {
  std::vector<std::pair<Order, json>> ordered;
  ordered.reserve(secrets.size());
  for (json& secret : secrets) ordered.emplace_back(OrderOf(secret, by), std::move(secret));
  std::ranges::stable_sort(ordered, {}, [](const auto& one) -> const Order& { return one.first; });
  for (std::size_t i = 0; i < secrets.size(); ++i) secrets[i] = std::move(ordered[i].second);
}

std::vector<std::string> Cells(const Listed& listed, const json& secret, base::WallTime now) {
  const std::string name = TextIn(secret, "/spec/name");
  const std::string version = TextIn(secret, "/status/version");
  const auto delivered = listed.deliveries.find(name);
  std::string keys;
  for (const json& key : ItemsIn(secret, "/spec/keys"))
    keys += (keys.empty() ? "" : ",") + TextIn(key, "");
  const auto written = base::ParseTime(TextIn(secret, "/status/lastSyncTime"));
  return {name.empty() ? "(unreadable)" : name,
          keys,
          version.substr(0, version.rfind('.')),
          TextIn(secret, "/status/coverage"),
          written.ok() ? Age(*written, now) : "unknown",
          delivered != listed.deliveries.end() ? delivered->second
          : listed.all_deliveries              ? ""
                                               : "unknown"};
}

const std::vector<std::string> kHeaders{"NAME",     "KEYS",      "VERSION",
                                        "COVERAGE", "LAST-SYNC", "DELIVERED-TO"};

// A column for each member.
Table TableOf(const Listed& listed, base::WallTime now) {
  std::vector<std::string> headers = kHeaders;
  const std::vector<std::string> nodes = listed.device.MemberNodes();
  for (std::string node : nodes) {
    std::transform(node.begin(), node.end(), node.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    headers.push_back(std::move(node));
  }
  Table table(headers, kHeaders.size());
  for (const json& secret : listed.secrets) {
    std::map<std::string, std::string> states;
    for (const json& member : ItemsIn(secret, "/status/devices"))
      states[TextIn(member, "/nodeName")] = TextIn(member, "/state");
    std::vector<std::string> row = Cells(listed, secret, now);
    for (const std::string& node : nodes) row.push_back(states[node]);
    table.Row(std::move(row));
  }
  return table;
}

// Devices have different members, so these share one column.
Table TableOf(const std::vector<Listed>& all, base::WallTime now) {
  std::vector<std::string> headers{"NAMESPACE", "DEVICE"};
  headers.insert(headers.end(), kHeaders.begin(), kHeaders.end());
  headers.emplace_back("MEMBERS");
  Table table(headers, headers.size() - 1);
  for (const Listed& listed : all) {
    for (const json& secret : listed.secrets) {
      std::vector<std::string> row{listed.device.metadata.ns, listed.device.metadata.name};
      for (std::string& cell : Cells(listed, secret, now)) row.push_back(std::move(cell));
      std::string members;
      for (const json& member : ItemsIn(secret, "/status/devices"))
        members += fmt::format("{}{}={}", members.empty() ? "" : ",", TextIn(member, "/nodeName"),
                               TextIn(member, "/state"));
      row.push_back(std::move(members));
      table.Row(std::move(row));
    }
  }
  return table;
}

// By asking its members.
base::Result<void> ListHere(Listed& listed, Context& context) {
  const cluster::ObjectMeta& device = listed.device.metadata;
  HSM_TRY(auto cluster, context.OpenLook("list", device.name, device.ns));
  manager::Pool& pool = cluster->pool();
  const manager::CoverageReport report = manager::Cover(pool);
  if (report.unknown.size() == pool.nodes().size()) {
    return base::Error(base::ErrorCode::kUnavailable,
                       "no member can be asked: " + report.unknown.begin()->second.message());
  }
  for (const auto& [node, error] : report.unknown) listed.unknown[node] = error.message();
  for (const auto& [node, aside] : report.quarantine) listed.quarantined[node] = aside.size();
  for (const auto& secret : report.secrets)
    listed.secrets.push_back(manager::MirroredSecretOf(pool.device(), secret));
  return {};
}

// The live API's answer; false: it does not answer, and this is what is on record.
base::Result<bool> ListThere(Listed& listed, const std::vector<cluster::HSMSecret>& secrets,
                             Context& context) {
  HSM_TRY(auto api, OpenAggregated(context, listed.device.metadata.ns));
  auto found = api.List(listed.device.metadata.name);
  if (found.ok()) {
    listed.secrets = *std::move(found);
    return true;
  }
  if (!found.Is(base::ErrorCode::kUnavailable)) return found.error();
  context.Warn(base::Printable(found.error().message()));
  listed.secrets = RecordedSecrets(context, listed.device, secrets);
  return false;
}

// What the table cannot show: into the document, and said on standard error.
void AddGaps(Context& context, const Listed& listed, json& metadata) {
  for (const auto& [node, why] : listed.unknown) {
    context.Warn(fmt::format("{} cannot be asked: {}", node, base::Printable(why)));
    metadata["unknown"][node] = why;
  }
  for (const auto& [node, count] : listed.quarantined) {
    context.Warn(fmt::format("{} has {} versions in quarantine; see kubectl hsm divergence list",
                             node, count));
    metadata["quarantined"][node] = count;
  }
}

// `several`: asked for more than one device, whatever of them could be listed. `whole`: it is all.
int PrintAll(Context& context, std::vector<Listed> all, bool several, bool whole, bool wide) {
  const base::WallTime now = context.clock().Wall();
  const Table table = several ? TableOf(all, now) : TableOf(all.front(), now);
  std::vector<json> items;
  for (Listed& listed : all) std::ranges::move(listed.secrets, std::back_inserter(items));
  json document = ListOf(std::move(items));
  for (const Listed& listed : all) AddGaps(context, listed, document["metadata"]);
  return Print(context, document, [&](bool format_wide) {
    if (table.empty()) {
      context.err() << (whole ? "no secrets\n" : "which secrets there are is not known\n");
    } else {
      table.Print(context.out(), wide || format_wide, !context.globals().no_headers);
    }
  });
}

// Whether it is all of it.
base::Result<bool> ListDevice(Listed& listed, const VisibleSecrets& asking,
                              const std::string& sort_by, Context& context) {
  bool whole = true;
  if (context.OnKubernetes()) {
    HSM_TRY(whole, ListThere(listed, asking.items, context));
  } else {
    HSM_RETURN_IF_ERROR(ListHere(listed, context));
  }
  listed.deliveries = Deliveries(context, asking.items, listed.device);
  listed.all_deliveries = asking.all;
  Sort(listed.secrets, sort_by);
  return whole;
}

int Run(const ListOptions& options, Context& context) {
  if (std::ranges::find(kSortBy, options.sort_by) == std::end(kSortBy)) {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--sort-by \"{}\" is not one of name, version, coverage, age",
                                     base::Printable(options.sort_by))});
  }
  const auto chosen = options.devices.Choose(context);
  if (!chosen.ok()) return context.Fail(chosen.error());
  const std::vector<cluster::HSMDevice>& devices = chosen->devices;
  const VisibleSecrets asking = VisibleHsmSecrets(context, devices);
  std::vector<Listed> all;
  std::optional<base::Error> failed;
  bool whole = chosen->refused.empty();
  for (const cluster::HSMDevice& device : devices) {
    Listed listed{device};
    auto done = ListDevice(listed, asking, options.sort_by, context);
    if (done.ok()) {
      whole = whole && *done;
      all.push_back(std::move(listed));
      continue;
    }
    if (devices.size() == 1) return context.Fail(done.error());
    failed =
        done.error().Within(fmt::format("device {}/{}", device.metadata.ns, device.metadata.name));
    context.Warn(base::Printable(failed->message()));
  }
  if (all.empty()) return context.Fail(*failed);
  whole = whole && !failed;
  const int printed = PrintAll(context, std::move(all), devices.size() > 1, whole, options.wide);
  return printed == kDone && !whole ? kPartial : printed;
}

}  // namespace

Verb ListVerb() {
  return {"list",
          "List every secret with its version and how many members hold it",
          {"ls"},
          {"kubectl hsm list", "kubectl hsm list --wide --sort-by coverage",
           "kubectl hsm list -A -l site=east -o name"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<ListOptions>();
            options->devices.Declare(words);
            words.Flag("wide", "a column for each member", options->wide);
            words.Option("sort-by", "FIELD", "name, version, coverage or age", options->sort_by);
            words.Takes("sort-by", {"name", "version", "coverage", "age"});
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
