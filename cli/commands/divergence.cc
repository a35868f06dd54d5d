#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/live_device.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/set_aside.h"

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

using manager::SetAside;

// `unknown`: some member could not be asked, so the list may be short.
int List(Context& context, const std::vector<SetAside>& all, bool unknown) {
  std::vector<nlohmann::json> items;
  for (const SetAside& aside : all) items.push_back(manager::QuarantinedSecretOf(aside));
  const int printed = Print(context, ListOf(std::move(items)), [&](bool) {
    Table table({"NAME", "NODE", "VERSION", "WHAT", "KEYS", "WRITTEN"});
    for (const SetAside& aside : all) {
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

// Where they are looked for: at the members, or by a manager.
class Place {
 public:
  static Result<Place> Open(Context& context) {
    Place place;
    if (context.OnKubernetes()) {
      HSM_TRY(place.live_, OpenLive(context));
      HSM_TRY(auto api, OpenAggregated(context, place.live_->device().metadata.ns));
      place.api_ = std::make_unique<manager::AggregatedClient>(std::move(api));
    } else {
      HSM_TRY(place.cluster_, context.OpenCluster("divergence"));
    }
    return place;
  }
  Result<manager::SetAsideSearch> Find(const manager::SetAsideFilter& filter) {
    return api_ ? api_->FindSetAside(live_->device().metadata.name, filter)
                : manager::FindSetAside(cluster_->pool(), filter);
  }
  Result<store::Secret> Read(const SetAside& one) {
    if (api_) return api_->ReadSetAside(live_->device().metadata.name, one);
    return cluster_->pool().At(one.node).ReadQuarantined({one.item.id, one.item.version});
  }
  // Whoever discards one has the device then.
  void Leave() { cluster_.reset(); }

 private:
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<LiveDevice> live_;
  std::unique_ptr<manager::AggregatedClient> api_;
};

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

int ExportTo(const std::string& path, const SetAside& one, Place& place, Context& context) {
  if (path.empty())
    return context.Fail(
        Error(ErrorCode::kInvalid, "export writes the values to a file: add --to FILE"));
  if (one.item.tombstone)
    return context.Fail(Error(ErrorCode::kInvalid,
                              "it is a deletion, which has no values; kubectl hsm delete does "
                              "the same now"));
  if (std::filesystem::exists(path))
    return context.Fail(
        Error(ErrorCode::kConflict, base::Printable(path) + " exists; name a new file"));
  const auto secret = place.Read(one);
  if (!secret.ok()) return context.Fail(secret.error());
  const auto text = Export(*secret);
  if (auto written = base::WriteFile(path, base::AsBytes(*text), 0600); !written.ok())
    return context.Fail(written.error());
  context.out() << fmt::format(
      "{} version {} from {} is in {} (0600); kubectl hsm put -f writes it as a new version\n",
      one.item.name, one.item.version.ToString(), one.node, base::Printable(path));
  return kDone;
}

int Discard(const SetAside& one, bool yes, Context& context) {
  if (auto sure = context.Confirm(fmt::format("Discard version {} of {} on {} for good?",
                                              one.item.version.ToString(), one.item.name, one.node),
                                  yes);
      !sure.ok())
    return context.Fail(sure.error());
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kDiscard;
  spec.secret = one.item.name;
  spec.target_node = one.node;
  spec.version = one.item.version.Full();  // that one, whatever is set aside meanwhile
  return PrintEnd(context, Act(context, "divergence", {}, spec));
}

int Run(const DivergenceWords& words, Context& context) {
  if (words.action == "list" || words.action == "show") context.NoteOnlyLooks();
  if (words.action != "list" && words.action != "show" && words.action != "export" &&
      words.action != "discard") {
    return context.Fail(
        Error(ErrorCode::kInvalid,
              fmt::format("divergence \"{}\" is not one of list, show, export, discard",
                          base::Printable(words.action))));
  }
  auto place = Place::Open(context);
  if (!place.ok()) return context.Fail(place.error());
  const manager::SetAsideFilter filter{words.name, words.node, words.version};
  const auto search = place->Find(filter);
  if (!search.ok()) return context.Fail(search.error());
  for (const auto& [node, error] : search->unknown)
    context.Warn(fmt::format("{} cannot be asked: {}", node, error.message()));
  if (words.action == "list") return List(context, search->found, !search->unknown.empty());
  const auto one = manager::OneSetAside(*search, filter);
  if (!one.ok()) return context.Fail(one.error());
  if (words.action == "show")
    return Print(context, manager::QuarantinedSecretOf(*one),
                 [&](bool) { (void)List(context, {*one}, false); });
  if (words.action == "export") return ExportTo(words.out, *one, *place, context);
  place->Leave();
  return Discard(*one, words.yes, context);
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
