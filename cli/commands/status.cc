#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/recorded_device.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/process_log.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/coverage.h"
#include "libhsmops/manager/look.h"

namespace hsmops::cli {
namespace {

constexpr std::chrono::seconds kRedrawPeriod{2};
constexpr std::chrono::milliseconds kShortestRedraw{500};
constexpr std::chrono::milliseconds kLookForStop{100};

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
  if (context.OnKubernetes()) context.out() << AsOf(context, device) << "\n";
  for (const cluster::Finding& finding : status.findings) {
    if (finding.severity != cluster::Severity::kCritical) continue;
    context.out() << fmt::format("critical: {}: {}: {}\n", base::Printable(finding.subject),
                                 finding.reason, base::Printable(finding.message));
  }
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

int PrintIt(Context& context, const cluster::HSMDevice& device) {
  return Print(context, device.ToJson(), [&](bool wide) { PrintStatus(context, device, wide); });
}

// `saves`: for those who read the folder; this command's answer does not depend on it.
base::Result<cluster::HSMDevice> Look(const std::string& named, bool saves, Context& context) {
  if (context.OnKubernetes()) {
    HSM_TRY(const auto resources, context.OpenResources());
    HSM_TRY(const std::string name, context.DeviceName(*resources, named));
    HSM_TRY(auto device, cluster::Load<cluster::HSMDevice>(*resources, context.ns(), name));
    return RecordedDevice(context, *resources, std::move(device));
  }
  HSM_TRY(const auto cluster, context.OpenLook("status", named));
  manager::Pool& pool = cluster->pool();
  const auto state = pool.ObserveAmidWrites();
  if (auto why = WhyNobodyWasAsked(state)) return *std::move(why);
  cluster::HSMDevice device = manager::Look(pool, state, context.clock().Wall());
  device.status.secrets = manager::CountSecrets(manager::Cover(pool));
  if (saves)
    (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) { status = device.status; });
  return device;
}

// Without what is another at every look.
nlohmann::json WithoutTimes(cluster::HSMDevice device) {
  device.metadata.resource_version.clear();
  for (cluster::DeviceStatus& member : device.status.devices) {
    member.last_seen.reset();
    member.last_sync_time.reset();
    member.latency_ms.reset();
    member.free_objects.reset();
    member.lag.seconds.reset();
  }
  if (device.status.mirroring) device.status.mirroring->last_sync_time.reset();
  return device.ToJson();
}

// For two seconds, or until somebody writes about the device; false: asked to stop.
bool WaitForChange(Context& context, cluster::Watch& watch, const StopSignal& stop) {
  const base::TimePoint begin = context.clock().Now();
  bool changed = false;
  while (!stop.asked()) {
    const base::Duration waited = context.clock().Now() - begin;
    if (waited >= kRedrawPeriod || (changed && waited >= kShortestRedraw)) return true;
    const auto change = watch.Next(context.clock().Now() + kLookForStop);
    if (!change.ok()) context.clock().SleepFor(kLookForStop);
    changed = changed || !change.ok() || change->has_value();
  }
  return false;
}

// On a terminal each look is drawn over the one before; elsewhere one that differs follows it. A
// look that fails is told and is not the end.
int WatchIt(const StatusOptions& options, Context& context) {
  const StopSignal stop;
  const bool redraws = context.streams().out_is_terminal;
  const auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  const auto watch = (*resources)->OpenWatch(cluster::Kind::kHsmDevice, context.ns(), "");
  if (!watch.ok()) return context.Fail(watch.error());
  nlohmann::json shown;
  std::string failed;
  do {
    const auto device = Look(options.device, false, context);
    if (!device.ok()) {
      if (!device.Is(base::ErrorCode::kUnavailable)) return context.Fail(device.error());
      if (device.error().message() != failed) (void)context.Fail(device.error());
      failed = device.error().message();
      continue;
    }
    failed.clear();
    nlohmann::json lasting = WithoutTimes(*device);
    if (!redraws && lasting == shown) continue;
    if (redraws) {
      context.out() << "\x1b[H\x1b[2J";
    } else if (!shown.is_null()) {
      context.out() << (context.globals().output == "yaml" ? "---\n" : "\n");
    }
    shown = std::move(lasting);
    if (const int printed = PrintIt(context, *device); printed != kDone) return printed;
    context.out() << std::flush;
    if (!context.out()) return kDone;  // which says that by itself
  } while (WaitForChange(context, **watch, stop));
  return kInterrupted;
}

int Run(const StatusOptions& options, Context& context) {
  if (options.watch) return WatchIt(options, context);
  const auto device = Look(options.device, true, context);
  return device.ok() ? PrintIt(context, *device) : context.Fail(device.error());
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
            words.Flag("w,watch",
                       "go on: redraw at every change and every two seconds; off a terminal print "
                       "what changed",
                       options->watch);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
