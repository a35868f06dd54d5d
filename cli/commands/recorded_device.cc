#include "cli/commands/recorded_device.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/printer.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/election.h"

namespace hsmops::cli {

using base::Result;
using cluster::Severity;

namespace {

// Whoever leads writes down what it sees every half minute; a long sync may keep it.
constexpr std::chrono::minutes kLongestSilence{3};

std::optional<base::WallTime> LastSeen(const cluster::HSMDevice& device) {
  std::optional<base::WallTime> last;
  for (const cluster::DeviceStatus& member : device.status.devices)
    last = std::max(last, member.last_seen);
  return last;
}

void AddFirst(cluster::HSMDevice& device, const char* reason, std::string message,
              std::string next) {
  auto& findings = device.status.findings;
  findings.insert(findings.begin(), {Severity::kCritical, device.metadata.name, reason,
                                     std::move(message), std::move(next)});
}

// A promotion, a reinit or an adopt, during which nothing else is written down.
bool IsBusy(cluster::ResourceStore& resources, const cluster::HSMDevice& device) {
  const auto operations = cluster::LoadAll<cluster::HSMOperation>(resources, device.metadata.ns);
  return operations.ok() && std::ranges::any_of(operations->items, [&](const auto& operation) {
           return operation.spec.device_ref.name == device.metadata.name &&
                  operation.status.phase == cluster::OperationPhase::kRunning;
         });
}

// How old what stands there is, where that is too old for anything. By two clocks, so that minutes
// alone say something.
std::optional<std::string> TooOld(Context& context, cluster::ResourceStore& resources,
                                  const cluster::HSMDevice& device) {
  const auto last = LastSeen(device);
  const base::WallTime now = context.clock().Wall();
  if (IsCritical(device) || !last || now - *last <= kLongestSilence || IsBusy(resources, device))
    return std::nullopt;
  return Age(last, now);
}

}  // namespace

Result<cluster::HSMDevice> RecordedDevice(Context& context, cluster::ResourceStore& resources,
                                          cluster::HSMDevice device) {
  const std::string& ns = device.metadata.ns;
  HSM_TRY(const failover::Managers managers,
          manager::LookForManagers(resources, context.clock(), ns));
  const std::string look = fmt::format("kubectl get pods -n {}", ns);
  if (device.status.devices.empty() && device.status.findings.empty())
    AddFirst(device, "NotSeen", "no manager has written anything of it yet", look);
  if (managers != failover::Managers::kLead)
    AddFirst(device, "NoManager",
             fmt::format("no manager leads, so nothing is promoted by itself and the Primary's "
                         "grant runs out; everything else here is {}",
                         AsOf(context, device)),
             look);
  if (auto age = TooOld(context, resources, device))
    AddFirst(
        device, "StatusIsOld",
        fmt::format("a manager leads and has seen none of its members for {}: what stands here "
                    "may be over",
                    *age),
        fmt::format("kubectl hsm health --live {}, and the leading manager's log",
                    device.metadata.name));
  context.WarnIfPaused(device);
  return device;
}

bool IsCritical(const cluster::HSMDevice& device) {
  const auto& findings = device.status.findings;
  return !findings.empty() && findings.front().severity == Severity::kCritical;
}

std::string AsOf(Context& context, const cluster::HSMDevice& device) {
  const auto last = LastSeen(device);
  if (!last) return "as of no look at its members";
  return fmt::format("as of {} ago", Age(last, context.clock().Wall()));
}

}  // namespace hsmops::cli
