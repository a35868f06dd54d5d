#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/coverage.h"

namespace hsmops::cli {
namespace {

struct StatusOptions {
  std::string device;
  bool watch = false;
};

std::string Number(const std::optional<std::int64_t>& value, const char* unit = "") {
  return value ? fmt::format("{}{}", *value, unit) : "unknown";
}

void PrintStatus(Context& context, const cluster::HSMDevice& device, bool wide) {
  const auto& status = device.status;
  context.out() << fmt::format(
      "device {}: {}, Primary {}, epoch {}, policy {}, tolerates {} more losses\n",
      device.metadata.name, cluster::Name(status.phase),
      status.primary_node.empty() ? "none" : status.primary_node,
      status.epoch ? status.epoch->counter : 0, cluster::Name(device.policy()),
      status.failure_tolerance.value_or(0));
  if (status.paused) {
    context.out() << fmt::format(
        "paused by {} until {}: {}\n", base::Printable(status.paused->by),
        status.paused->until ? base::FormatTime(*status.paused->until) : "unknown",
        base::Printable(status.paused->reason));
  }
  Table table({"NODE", "ROLE", "STATE", "EPOCH", "POSITION", "LAG", "LAST-SYNC", "LATENCY", "PIN",
               "FREE", "WHY-NOT", "SERIAL", "PROFILE"},
              11);
  for (const cluster::DeviceStatus& member : status.devices) {
    std::string why;
    for (const std::string& reason : member.why_not) why += (why.empty() ? "" : "; ") + reason;
    const auto profile = member.device_info.find("profile");
    table.Row({member.node_name, std::string(cluster::Name(member.role)), member.health,
               member.epoch ? std::to_string(*member.epoch) : "unknown",
               member.position.empty() ? "unknown" : member.position, Number(member.lag.versions),
               Age(member.last_sync_time, context.clock().Wall()), Number(member.latency_ms, "ms"),
               member.pin.empty() ? "unknown" : member.pin, Number(member.free_objects), why,
               member.serial_number, profile == member.device_info.end() ? "" : profile->second});
  }
  table.Print(context.out(), wide, !context.globals().no_headers);
}

int Run(const StatusOptions& options, Context& context) {
  if (options.watch && !context.streams().out_is_terminal) {
    return context.Fail(
        {base::ErrorCode::kInvalid, "-w redraws a terminal and standard output is none"});
  }
  for (;;) {
    auto cluster = context.OpenCluster("status", options.device);
    if (!cluster.ok()) return context.Fail(cluster.error());
    manager::Pool& pool = (*cluster)->pool();
    cluster::HSMDevice device = LookAt(context, pool, pool.Observe(true));
    device.status.secrets = manager::CountSecrets(manager::Cover(pool));
    // Saved for those who read the folder; this command's answer does not depend on it.
    (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) { status = device.status; });
    cluster->reset();
    if (options.watch) context.out() << "\x1b[H\x1b[2J";
    const int printed =
        Print(context, device.ToJson(), [&](bool wide) { PrintStatus(context, device, wide); });
    if (printed != kDone || !options.watch) return printed;
    context.out() << std::flush;
    context.clock().SleepFor(std::chrono::seconds(2));
  }
}

}  // namespace

Verb StatusVerb() {
  return {"status",
          "Show the Primary, the epoch and every member with its lag and why it cannot be promoted",
          {"devices", "topology"},
          {"kubectl hsm status", "kubectl hsm status -w"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<StatusOptions>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Flag("w,watch", "redraw every two seconds", options->watch);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
