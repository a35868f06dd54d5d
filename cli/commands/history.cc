#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/printer.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

int Run(const std::string& named, Context& context) {
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  const auto name = context.DeviceName(**resources, named);
  if (!name.ok()) return context.Fail(name.error());
  const auto device = cluster::Load<cluster::HSMDevice>(**resources, context.ns(), *name);
  if (!device.ok()) return context.Fail(device.error());
  // Nobody was asked just now, so of the status nothing but the history is told.
  nlohmann::json document = device->ToJson();
  nlohmann::json history = nlohmann::json::array();
  if (document.contains("status")) history = document["status"].value("history", history);
  document["status"] = {{"history", std::move(history)}};
  return Print(context, document, [&](bool wide) {
    Table table(
        {"TIME", "WHAT", "OUTCOME", "FROM", "TO", "EPOCH", "LOST", "TOOK", "WHY", "OPERATION"}, 9);
    for (const cluster::HistoryEntry& entry : device->status.history) {
      table.Row(
          {entry.time ? base::FormatTime(*entry.time) : "unknown", entry.type, entry.outcome,
           entry.from, entry.to, entry.epoch == 0 ? "" : std::to_string(entry.epoch), entry.lost,
           entry.duration_ms ? base::FormatDuration(std::chrono::milliseconds(*entry.duration_ms))
                             : "unknown",
           entry.cause, entry.operation});
    }
    if (table.empty()) {
      context.err() << "no promotion yet\n";
    } else {
      table.Print(context.out(), wide, !context.globals().no_headers);
    }
  });
}

}  // namespace

Verb HistoryVerb() {
  return {"history",
          "What was promoted, when, why, and what it cost; aborted ones too",
          {},
          {"kubectl hsm history"},
          false,
          [](Words& words) -> Runner {
            auto device = std::make_shared<std::string>();
            words.Argument("DEVICE", "the device; by default the only one", *device, false);
            return [device](Context& context) { return Run(*device, context); };
          }};
}

}  // namespace hsmops::cli
