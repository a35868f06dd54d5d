#include "cli/commands/live_device.h"

#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {

using base::Result;

namespace {

Result<bool> IsBehindAgents(Context& context, cluster::ResourceStore& resources) {
  HSM_TRY(const std::string name, context.DeviceName(resources, {}));
  HSM_TRY(const auto device, cluster::Load<cluster::HSMDevice>(resources, context.ns(), name));
  return device.IsBehindAgents();
}

// So that many commands do not all ask the same one first.
void Shuffle(std::vector<manager::Replica>& replicas, base::Rng& rng) {
  for (std::size_t left = replicas.size(); left > 1; --left)
    std::swap(replicas[left - 1], replicas[rng.U64() % left]);
}

}  // namespace

Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context) {
  HSM_TRY(const auto resources, context.OpenResources());
  HSM_TRY(auto replicas, manager::FindReplicas(*resources, context.clock(), context.ns()));
  if (replicas.empty()) return std::unique_ptr<LiveDevice>();
  HSM_TRY(const bool behind_agents, IsBehindAgents(context, *resources));
  if (!behind_agents) return std::unique_ptr<LiveDevice>();
  Shuffle(replicas, context.rng());
  HSM_TRY(Wire * wire, context.OpenWire());
  HSM_TRY(const base::Duration timeout, context.Timeout());
  auto live = std::make_unique<LiveDevice>();
  HSM_TRY(live->cluster_, context.OpenRecord());
  const cluster::ObjectMeta& device = live->pool().device().metadata;
  live->service_ = std::make_unique<manager::LiveService>(
      wire->transport(), context.clock(),
      manager::LiveTarget{wire->identity().pool, std::move(replicas), device.ns, device.name},
      context.clock().Now() + timeout);
  return live;
}

}  // namespace hsmops::cli
