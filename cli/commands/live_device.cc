#include "cli/commands/live_device.h"

#include "libhsmops/base/printable.h"
#include "libhsmops/base/shuffle.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {

using base::Result;

namespace {

Result<cluster::HSMDevice> ChosenDevice(Context& context, cluster::ResourceStore& resources) {
  HSM_TRY(const std::string name, context.DeviceName(resources, {}));
  return cluster::Load<cluster::HSMDevice>(resources, context.ns(), name);
}

}  // namespace

Result<manager::Served> LiveDevice::Get(const store::SecretName& name) {
  return aggregated_ ? aggregated_->Get(device_.metadata.name, name) : service_->Get(name);
}

std::vector<Result<mirror::Acknowledged>> LiveDevice::Put(std::vector<store::Write> writes,
                                                          const mirror::Progress& progress) {
  return aggregated_ ? aggregated_->Put(device_.metadata.name, std::move(writes), progress)
                     : service_->Put(std::move(writes), progress);
}

Result<void> LiveDevice::Probe() {
  return aggregated_ ? aggregated_->Probe(device_.metadata.name) : service_->Probe();
}

Result<manager::AggregatedClient> OpenAggregated(Context& context, const std::string& ns) {
  HSM_TRY(ApiServer * api, context.OpenApi());
  HSM_TRY(const base::Duration timeout, context.Timeout());
  return manager::AggregatedClient(
      api->client(), context.clock(), context.executor(), ns, api->timeout(),
      context.clock().Now() + timeout,
      [&context](const std::string& warning) { context.Warn(base::Printable(warning)); });
}

Result<std::unique_ptr<LiveDevice>> OpenLive(Context& context) {
  HSM_TRY(const auto resources, context.OpenResources());
  auto live = std::make_unique<LiveDevice>();
  if (context.OnKubernetes()) {
    HSM_TRY(live->device_, ChosenDevice(context, *resources));
    HSM_TRY(auto aggregated, OpenAggregated(context, live->device_.metadata.ns));
    live->aggregated_.emplace(std::move(aggregated));
    context.WarnIfPaused(live->device_);
    return live;
  }
  HSM_TRY(auto replicas, manager::FindReplicas(*resources, context.clock(), context.ns()));
  if (replicas.empty()) return std::unique_ptr<LiveDevice>();
  HSM_TRY(live->device_, ChosenDevice(context, *resources));
  if (!live->device_.IsBehindAgents()) return std::unique_ptr<LiveDevice>();
  base::Shuffle(replicas, context.rng());  // so that not all commands ask the same one first
  HSM_TRY(Wire * wire, context.OpenWire());
  HSM_TRY(const base::Duration timeout, context.Timeout());
  const cluster::ObjectMeta& device = live->device_.metadata;
  live->service_ = std::make_unique<manager::LiveService>(
      wire->transport(), context.clock(),
      manager::LiveTarget{wire->identity().pool, std::move(replicas), device.ns, device.name},
      context.clock().Now() + timeout);
  context.WarnIfPaused(live->device_);
  return live;
}

}  // namespace hsmops::cli
