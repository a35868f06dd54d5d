#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/mirrored_secret.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

struct ListOptions {
  bool wide = false;
  std::string sort_by = "name";
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

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

void PrintTable(Context& context, manager::Pool& pool, const manager::CoverageReport& report,
                bool wide, const std::map<std::string, std::string>& deliveries) {
  std::vector<std::string> headers{"NAME",     "KEYS",      "VERSION",
                                   "COVERAGE", "LAST-SYNC", "DELIVERED-TO"};
  for (const std::string& node : pool.nodes()) {
    std::string upper = node;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    headers.push_back(upper);
  }
  Table table(headers, 6);
  const base::WallTime now = context.clock().Wall();
  for (const auto& secret : report.secrets) {
    const auto delivered = deliveries.find(secret.name);
    std::vector<std::string> row{secret.name.empty() ? "(unreadable)" : secret.name,
                                 Join(secret.keys),
                                 secret.legacy ? "" : secret.version.ToString(),
                                 secret.Summary(),
                                 secret.written_at ? Age(secret.written_at, now) : "unknown",
                                 delivered == deliveries.end() ? "" : delivered->second};
    for (const auto& held : secret.devices) row.emplace_back(manager::Name(held.holding));
    table.Row(std::move(row));
  }
  if (table.empty()) {
    context.err() << "no secrets\n";
  } else {
    table.Print(context.out(), wide, !context.globals().no_headers);
  }
}

int Run(const ListOptions& options, Context& context) {
  auto cluster = context.OpenCluster("list");
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  manager::CoverageReport report = manager::Cover(pool);
  if (!Sort(report.secrets, options.sort_by)) {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--sort-by \"{}\" is not one of name, version, coverage, age",
                                     options.sort_by)});
  }
  if (report.unknown.size() == pool.nodes().size()) {
    return context.Fail({base::ErrorCode::kUnavailable,
                         "no member can be asked: " + report.unknown.begin()->second.message()});
  }
  std::vector<nlohmann::json> items;
  for (const auto& secret : report.secrets) items.push_back(MirroredSecretOf(pool, secret));
  nlohmann::json document = ListOf(std::move(items));
  for (const auto& [node, error] : report.unknown) {
    context.Warn(fmt::format("{} cannot be asked: {}", node, error.message()));
    document["metadata"]["unknown"][node] = error.message();
  }
  for (const auto& [node, items_aside] : report.quarantine) {
    context.Warn(fmt::format("{} has {} versions in quarantine; see {} divergence list", node,
                             items_aside.size(), context.CommandPrefix()));
    document["metadata"]["quarantined"][node] = items_aside.size();
  }
  return Print(context, document, [&](bool wide) {
    PrintTable(context, pool, report, wide || options.wide,
               Deliveries((*cluster)->resources(), pool.device()));
  });
}

}  // namespace

Verb ListVerb() {
  return {"list",
          "List every secret with its version and how many members hold it",
          {"ls"},
          {"kubectl hsm list", "kubectl hsm list --wide --sort-by coverage"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<ListOptions>();
            words.Flag("wide", "a column for each member", options->wide);
            words.Option("sort-by", "FIELD", "name, version, coverage or age", options->sort_by);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
