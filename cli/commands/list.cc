#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/mirrored_secret.h"
#include "cli/commands/verbs.h"
#include "cli/device_choice.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

struct ListOptions {
  DeviceChoice devices;
  bool wide = false;
  std::string sort_by = "name";
};

// One device's part of the answer.
struct Listed {
  cluster::HSMDevice device;
  std::vector<std::string> nodes;
  manager::CoverageReport report;
  std::map<std::string, std::string> deliveries;
  std::vector<nlohmann::json> documents;  // of report.secrets, in order
};

// HSMSecrets that ask for a secret of this device, by its name there.
std::map<std::string, std::string> Deliveries(cluster::ResourceStore& resources,
                                              const cluster::HSMDevice& device) {
  std::map<std::string, std::string> deliveries;
  const auto secrets = cluster::LoadAll<cluster::HSMSecret>(resources, "");
  if (!secrets.ok()) return deliveries;
  for (const cluster::HSMSecret& secret : secrets->items) {
    const auto& ref = secret.spec.device_ref;
    if (ref && ref->name != device.metadata.name) continue;
    std::string& cell = deliveries[secret.metadata.name];
    cell += (cell.empty() ? "" : ",") + secret.metadata.ns + "/" + secret.metadata.name;
  }
  return deliveries;
}

bool Sort(std::vector<manager::SecretCoverage>& secrets, const std::string& by) {
  const auto order = [&](auto key) {
    std::stable_sort(secrets.begin(), secrets.end(),
                     [&](const auto& a, const auto& b) { return key(a) < key(b); });
    return true;
  };
  using manager::SecretCoverage;
  if (by == "name") return order([](const SecretCoverage& s) { return s.name; });
  if (by == "version") return order([](const SecretCoverage& s) { return s.version; });
  if (by == "coverage") return order([](const SecretCoverage& s) { return s.Summary(); });
  if (by == "age")
    return order([](const SecretCoverage& s) { return s.written_at.value_or(base::WallTime{}); });
  return false;
}

std::vector<std::string> Cells(const Listed& listed, const manager::SecretCoverage& secret,
                               base::WallTime now) {
  const auto delivered = listed.deliveries.find(secret.name);
  return {secret.name.empty() ? "(unreadable)" : secret.name,
          fmt::format("{}", fmt::join(secret.keys, ",")),
          secret.legacy ? "" : secret.version.ToString(),
          secret.Summary(),
          secret.written_at ? Age(secret.written_at, now) : "unknown",
          delivered == listed.deliveries.end() ? "" : delivered->second};
}

const std::vector<std::string> kHeaders{"NAME",     "KEYS",      "VERSION",
                                        "COVERAGE", "LAST-SYNC", "DELIVERED-TO"};

// A column for each member.
Table TableOf(const Listed& listed, base::WallTime now) {
  std::vector<std::string> headers = kHeaders;
  for (std::string node : listed.nodes) {
    std::transform(node.begin(), node.end(), node.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    headers.push_back(std::move(node));
  }
  Table table(headers, kHeaders.size());
  for (const auto& secret : listed.report.secrets) {
    std::vector<std::string> row = Cells(listed, secret, now);
    for (const auto& held : secret.devices) row.emplace_back(manager::Name(held.holding));
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
    for (const auto& secret : listed.report.secrets) {
      std::vector<std::string> row{listed.device.metadata.ns, listed.device.metadata.name};
      for (std::string& cell : Cells(listed, secret, now)) row.push_back(std::move(cell));
      std::vector<std::string> members;
      for (const auto& held : secret.devices)
        members.push_back(fmt::format("{}={}", held.node, manager::Name(held.holding)));
      row.push_back(fmt::format("{}", fmt::join(members, ",")));
      table.Row(std::move(row));
    }
  }
  return table;
}

base::Result<Listed> ListDevice(const cluster::HSMDevice& device, const std::string& sort_by,
                                Context& context) {
  HSM_TRY(auto cluster, context.OpenLook("list", device.metadata.name, device.metadata.ns));
  manager::Pool& pool = cluster->pool();
  Listed listed{pool.device(),
                pool.nodes(),
                manager::Cover(pool),
                Deliveries(cluster->resources(), pool.device()),
                {}};
  Sort(listed.report.secrets, sort_by);
  if (listed.report.unknown.size() == listed.nodes.size()) {
    return base::Error(
        base::ErrorCode::kUnavailable,
        "no member can be asked: " + listed.report.unknown.begin()->second.message());
  }
  for (const auto& secret : listed.report.secrets)
    listed.documents.push_back(MirroredSecretOf(pool, secret));
  return listed;
}

// What the table cannot show: into the document, and said on standard error.
void AddGaps(Context& context, const Listed& listed, nlohmann::json& metadata) {
  for (const auto& [node, error] : listed.report.unknown) {
    context.Warn(fmt::format("{} cannot be asked: {}", node, base::Printable(error.message())));
    metadata["unknown"][node] = error.message();
  }
  for (const auto& [node, aside] : listed.report.quarantine) {
    context.Warn(fmt::format("{} has {} versions in quarantine; see kubectl hsm divergence list",
                             node, aside.size()));
    metadata["quarantined"][node] = aside.size();
  }
}

// `several`: asked for more than one device, whatever of them could be listed.
int PrintAll(Context& context, const std::vector<Listed>& all, bool several, bool wide) {
  std::vector<nlohmann::json> items;
  for (const Listed& listed : all)
    items.insert(items.end(), listed.documents.begin(), listed.documents.end());
  nlohmann::json document = ListOf(std::move(items));
  for (const Listed& listed : all) AddGaps(context, listed, document["metadata"]);
  return Print(context, document, [&](bool format_wide) {
    const base::WallTime now = context.clock().Wall();
    const Table table = several ? TableOf(all, now) : TableOf(all.front(), now);
    if (table.empty()) {
      context.err() << "no secrets\n";
    } else {
      table.Print(context.out(), wide || format_wide, !context.globals().no_headers);
    }
  });
}

int Run(const ListOptions& options, Context& context) {
  std::vector<manager::SecretCoverage> none;
  if (!Sort(none, options.sort_by)) {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--sort-by \"{}\" is not one of name, version, coverage, age",
                                     base::Printable(options.sort_by))});
  }
  const auto devices = options.devices.Choose(context);
  if (!devices.ok()) return context.Fail(devices.error());
  std::vector<Listed> all;
  std::optional<base::Error> failed;
  for (const cluster::HSMDevice& device : *devices) {
    auto listed = ListDevice(device, options.sort_by, context);
    if (listed.ok()) {
      all.push_back(*std::move(listed));
      continue;
    }
    if (devices->size() == 1) return context.Fail(listed.error());
    failed = listed.error().Within(
        fmt::format("device {}/{}", device.metadata.ns, device.metadata.name));
    context.Warn(base::Printable(failed->message()));
  }
  if (all.empty()) return context.Fail(*failed);
  const int printed = PrintAll(context, all, devices->size() > 1, options.wide);
  return printed == kDone && failed ? kPartial : printed;
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
