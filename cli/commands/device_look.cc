#include "cli/commands/device_look.h"

#include <fmt/format.h>

#include <bitset>

#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/report.h"

namespace hsmops::cli {

cluster::HSMDevice LookAt(Context& context, manager::Pool& pool,
                          const failover::ClusterState& state) {
  cluster::HSMDevice device = pool.device();
  device.status = manager::StatusOf(device, state, context.clock().Wall());
  device.status.secrets.reset();
  const failover::MemberView* primary = state.Holder();
  if (primary == nullptr || !primary->Healthy()) return device;
  const auto inventory = pool.At(primary->node).ReadInventory(std::bitset<store::kBuckets>());
  if (inventory.ok()) manager::AddNotAdoptable(primary->node, inventory->legacy, device.status);
  return device;
}

std::optional<base::Error> WhyNobodyWasAsked(const failover::ClusterState& state) {
  std::string why;
  for (const failover::MemberView& member : state.members) {
    if (!member.status.Is(base::ErrorCode::kAuthFailed)) return std::nullopt;
    why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", member.node,
                       member.status.error().message());
  }
  if (why.empty()) return std::nullopt;
  return base::Error(base::ErrorCode::kAuthFailed,
                     "no member could be asked with this certificate: " + why);
}

}  // namespace hsmops::cli
