#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>

#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

struct DivergenceWords {
  std::string action;
  std::string name;
  std::string node;
  std::string version;
  std::string out;
  bool yes = false;
};

struct Aside {
  std::string node;
  store::QuarantineItem item;
};

struct Search {
  std::vector<Aside> found;
  std::vector<std::string> unknown;  // nodes that could not be asked
};

Search FindAside(Context& context, manager::Pool& pool, const DivergenceWords& words) {
  Search search;
  std::vector<Aside>& found = search.found;
  for (const std::string& node : pool.nodes()) {
    if (!words.node.empty() && node != words.node) continue;
    const auto inventory = pool.At(node).ReadInventory(std::bitset<store::kBuckets>());
    if (!inventory.ok()) {
      context.Warn(fmt::format("{} cannot be asked: {}", node, inventory.error().message()));
      search.unknown.push_back(node);
      continue;
    }
    for (const store::QuarantineItem& item : inventory->quarantine) {
      const bool wanted = (words.name.empty() || item.name == words.name) &&
                          (words.version.empty() || item.version.ToString() == words.version ||
                           item.version.Full() == words.version);
      if (wanted) found.push_back({node, item});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Aside& a, const Aside& b) {
    return std::tie(a.item.name, a.node, a.item.version) <
           std::tie(b.item.name, b.node, b.item.version);
  });
  return search;
}

nlohmann::json DocumentOf(const Aside& aside) {
  const std::string name = base::Printable(aside.item.name);
  return {{"apiVersion", "live.hsm.j5t.io/v1alpha1"},
          {"kind", "QuarantinedSecret"},
          {"metadata", {{"name", name}}},
          {"name", name},
          {"nodeName", aside.node},
          {"version", aside.item.version.Full()},
          {"deleted", aside.item.tombstone},
          {"keys", aside.item.keys},
          {"writtenAt", base::FormatTime(aside.item.written_at)}};
}

// `unknown`: some member could not be asked, so the list may be short.
int List(Context& context, const std::vector<Aside>& all, bool unknown) {
  std::vector<nlohmann::json> items;
  for (const Aside& aside : all) items.push_back(DocumentOf(aside));
  const int printed = Print(context, ListOf(std::move(items)), [&](bool) {
    Table table({"NAME", "NODE", "VERSION", "WHAT", "KEYS", "WRITTEN"});
    for (const Aside& aside : all) {
      std::string keys;
      for (const std::string& key : aside.item.keys) keys += (keys.empty() ? "" : ",") + key;
      table.Row({aside.item.name, aside.node, aside.item.version.ToString(),
                 aside.item.tombstone ? "deletion" : "value", keys,
                 Age(aside.item.written_at, context.clock().Wall())});
    }
    if (table.empty()) {
      context.err() << (unknown ? "no version is set aside on the members that answered\n"
                                : "nothing is in quarantine\n");
    } else {
      table.Print(context.out(), false, !context.globals().no_headers);
    }
  });
  return printed == kDone && unknown ? kPartial : printed;
}

Result<Aside> TheOne(const Search& search, const DivergenceWords& words) {
  const std::vector<Aside>& found = search.found;
  if (words.name.empty())
    return Error(ErrorCode::kInvalid, "name the secret; divergence list shows them");
  if (found.empty() && !search.unknown.empty())
    return Error(ErrorCode::kUnavailable,
                 fmt::format("nothing of {} is in quarantine on the members that answered; {} did "
                             "not",
                             base::Printable(words.name), search.unknown.front()));
  if (found.empty())
    return Error(ErrorCode::kNotFound,
                 fmt::format("nothing of {} is in quarantine", base::Printable(words.name)));
  if (found.size() > 1)
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} versions of {} are in quarantine: add --node and --version",
                             found.size(), base::Printable(words.name)));
  return found.front();
}

Result<std::string> Export(const store::Secret& secret) {
  nlohmann::json document{
      {"apiVersion", "v1"},
      {"kind", "Secret"},
      {"metadata",
       {{"name", "quarantined"}, {"annotations", {{"hsm.j5t.io/name", secret.name.text()}}}}},
      {"data", nlohmann::json::object()}};
  for (const auto& [key, value] : secret.keys) document["data"][key] = base::Base64(value.view());
  return document.dump(2) + "\n";
}

// The list settles it: a discard is not repeated by itself, and what is gone is in no list.
Error Unsettled(const Error& error) {
  if (error.code() != ErrorCode::kInDoubt) return error;
  return {error.code(),
          error.message() + "; kubectl hsm divergence list shows whether it is still there"};
}

int Run(const DivergenceWords& words, Context& context) {
  if (words.action != "list" && words.action != "show" && words.action != "export" &&
      words.action != "discard") {
    return context.Fail(
        Error(ErrorCode::kInvalid,
              fmt::format("divergence \"{}\" is not one of list, show, export, discard",
                          base::Printable(words.action))));
  }
  auto cluster = context.OpenCluster("divergence");
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  if (!words.node.empty() && !pool.Has(words.node))
    return context.Fail(Error(ErrorCode::kNotFound,
                              fmt::format("node {} is not a member", base::Printable(words.node))));
  const Search search = FindAside(context, pool, words);
  if (words.action == "list") return List(context, search.found, !search.unknown.empty());
  const auto one = TheOne(search, words);
  if (!one.ok()) return context.Fail(one.error());
  const store::IdVersion which{one->item.id, one->item.version};
  if (words.action == "show")
    return Print(context, DocumentOf(*one), [&](bool) { (void)List(context, {*one}, false); });
  if (words.action == "export") {
    if (words.out.empty())
      return context.Fail(
          Error(ErrorCode::kInvalid, "export writes the values to a file: add --to FILE"));
    if (one->item.tombstone)
      return context.Fail(Error(ErrorCode::kInvalid,
                                "it is a deletion, which has no values; kubectl hsm delete does "
                                "the same now"));
    if (std::filesystem::exists(words.out))
      return context.Fail(
          Error(ErrorCode::kConflict, base::Printable(words.out) + " exists; name a new file"));
    const auto secret = pool.At(one->node).ReadQuarantined(which);
    if (!secret.ok()) return context.Fail(secret.error());
    const auto text = Export(*secret);
    if (auto written = base::WriteFile(words.out, base::AsBytes(*text), 0600); !written.ok())
      return context.Fail(written.error());
    context.out() << fmt::format(
        "{} version {} from {} is in {} (0600); kubectl hsm put -f writes it as a new version\n",
        one->item.name, one->item.version.ToString(), one->node, base::Printable(words.out));
    return kDone;
  }
  if (auto sure =
          context.Confirm(fmt::format("Discard version {} of {} on {} for good?",
                                      one->item.version.ToString(), one->item.name, one->node),
                          words.yes);
      !sure.ok())
    return context.Fail(sure.error());
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kDiscard;
  spec.secret = one->item.name;
  spec.target_node = one->node;
  auto log = manager::OperationLog::Begin(pool, spec);
  if (!log.ok()) return context.Fail(log.error());
  if (auto discarded = pool.At(one->node).DiscardQuarantined(which); !discarded.ok())
    return FailOperation(context, *log, Unsettled(discarded.error()));
  return FinishOperation(context, *log, cluster::OperationPhase::kSucceeded,
                         fmt::format("discarded version {} of {} on {}",
                                     one->item.version.ToString(), one->item.name, one->node),
                         kDone);
}

}  // namespace

Verb DivergenceVerb() {
  return {"divergence",
          "What a returning member had that nobody else has: list, show, export, discard",
          {},
          {"kubectl hsm divergence list", "kubectl hsm divergence export app/db --to rescued.json"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<DivergenceWords>();
            words.Argument("ACTION", "list, show, export or discard", options->action, true);
            words.Takes("ACTION", {"list", "show", "export", "discard"});
            words.Argument("NAME", "the secret", options->name, false);
            words.Option("node", "NODE", "only on this member", options->node);
            words.Option("version", "VERSION", "only this version", options->version);
            words.Option("to", "FILE", "where export writes to (0600)", options->out);
            words.Flag("yes", "do not ask", options->yes);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
