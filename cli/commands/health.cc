#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/live_device.h"
#include "cli/commands/recorded_device.h"
#include "cli/commands/verbs.h"
#include "cli/device_choice.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/look.h"

namespace hsmops::cli {
namespace {

struct HealthOptions {
  DeviceChoice devices;
  std::string fail_on = "critical";
  bool live = false;
};

std::string Paint(Context& context, cluster::Severity severity) {
  std::string text = severity == cluster::Severity::kCritical ? "critical" : "degraded";
  if (!context.ColorOn(context.streams().out_is_terminal)) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", severity == cluster::Severity::kCritical ? 31 : 33, text);
}

std::string AgeOf(Context& context, const cluster::HSMDevice& device) {
  return context.OnKubernetes() ? "; " + AsOf(context, device) : "";
}

void PrintDevice(Context& context, const cluster::HSMDevice& device) {
  const auto& status = device.status;
  std::size_t up = 0;
  for (const auto& member : status.devices) up += member.available ? 1 : 0;
  const std::string_view word = status.findings.empty() ? "healthy"
                                : IsCritical(device)    ? "critical"
                                                        : "degraded";
  context.out() << fmt::format(
      "{}: {}; Primary {}, {} of {} members up, tolerates {} more losses{}\n", device.metadata.name,
      word, status.primary_node.empty() ? "none" : status.primary_node, up, status.devices.size(),
      status.failure_tolerance.value_or(0), AgeOf(context, device));
  for (const cluster::Finding& finding : status.findings) {
    context.out() << fmt::format("  {}  {}  {}: {}\n      next: {}\n",
                                 Paint(context, finding.severity), base::Printable(finding.subject),
                                 finding.reason, base::Printable(finding.message),
                                 context.WithCluster(base::Printable(finding.next_step)));
  }
}

// Where no manager has written it down: in a folder, or who looks now.
void AddUnreadableOperations(cluster::ResourceStore& resources, cluster::HSMDevice& device) {
  const auto operations = cluster::LoadAll<cluster::HSMOperation>(resources, device.metadata.ns);
  if (operations.ok() && operations->refused.empty()) return;
  const std::string why =
      operations.ok() ? operations->refused.front().message() : operations.error().message();
  manager::AddOperationsUnreadable(device.metadata.name, why, device.status);
}

// A manager's look of now; nullopt: none answers, which is said.
base::Result<std::optional<cluster::HSMDevice>> Probe(Context& context,
                                                      const cluster::HSMDevice& one) {
  HSM_TRY(auto api, OpenAggregated(context, one.metadata.ns));
  const auto seen = api.Health(one.metadata.name);
  if (seen.Is(base::ErrorCode::kUnavailable)) {
    context.Warn(base::Printable(seen.error().message()) + "; this is what is on record");
    return std::optional<cluster::HSMDevice>();
  }
  if (!seen.ok()) return seen.error();
  HSM_TRY(auto device, cluster::HSMDevice::FromJson(*seen));
  return std::optional(std::move(device));
}

base::Result<cluster::HSMDevice> Look(Context& context, const cluster::HSMDevice& one, bool live) {
  if (context.OnKubernetes()) {
    HSM_TRY(const auto resources, context.OpenResources());
    HSM_TRY(auto seen, live ? Probe(context, one) : std::optional<cluster::HSMDevice>());
    if (seen) {
      AddUnreadableOperations(*resources, *seen);
      return *std::move(seen);
    }
    return RecordedDevice(context, *resources, one);
  }
  HSM_TRY(const auto cluster, context.OpenLook("health", one.metadata.name, one.metadata.ns));
  const auto state = cluster->pool().ObserveAmidWrites();
  if (const auto why = WhyNobodyWasAsked(state)) return *why;
  cluster::HSMDevice device = manager::Look(cluster->pool(), state, context.clock().Wall());
  AddUnreadableOperations(cluster->resources(), device);
  return device;
}

int Run(const HealthOptions& options, Context& context) {
  if (options.fail_on != "critical" && options.fail_on != "degraded") {
    return context.Fail(
        {base::ErrorCode::kInvalid, fmt::format("--fail-on \"{}\" is not one of degraded, critical",
                                                base::Printable(options.fail_on))});
  }
  const auto chosen = options.devices.Choose(context);
  if (!chosen.ok()) return context.Fail(chosen.error());
  std::vector<cluster::HSMDevice> devices;
  bool healthy = chosen->refused.empty();  // how those are nobody knows
  for (const cluster::HSMDevice& one : chosen->devices) {
    auto device = Look(context, one, options.live);
    if (!device.ok()) return context.Fail(device.error());
    for (const cluster::Finding& finding : device->status.findings) {
      if (finding.severity == cluster::Severity::kCritical || options.fail_on == "degraded")
        healthy = false;
    }
    devices.push_back(*std::move(device));
  }
  nlohmann::json document = devices.size() == 1 ? devices[0].ToJson() : nlohmann::json();
  if (devices.size() > 1) {
    std::vector<nlohmann::json> items;
    for (const auto& device : devices) items.push_back(device.ToJson());
    document = ListOf(std::move(items));
  }
  const int printed = Print(context, document, [&](bool) {
    for (const auto& device : devices) PrintDevice(context, device);
  });
  return printed != kDone ? printed : healthy ? kDone : kConditionNotMet;
}

}  // namespace

Verb HealthVerb() {
  return {"health",
          "Say what is wrong, worst first, and what to do next; exit 3 when it is critical",
          {},
          {"kubectl hsm health && ./deploy.sh", "kubectl hsm health --fail-on degraded -o json"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<HealthOptions>();
            words.Arguments("DEVICE", "devices; by default all of the namespace",
                            options->devices.names);
            options->devices.Declare(words);
            words.Option("fail-on", "SEVERITY",
                         "exit 3 from this severity on: degraded or critical", options->fail_on);
            words.Takes("fail-on", {"degraded", "critical"});
            words.Flag("live", "probe the devices now (without managers it always does)",
                       options->live);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
