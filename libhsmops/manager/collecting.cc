#include "libhsmops/manager/collecting.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "libhsmops/base/shuffle.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/operation_log.h"

namespace hsmops::manager {

using base::ErrorCode;
using cluster::HSMOperation;

std::vector<HSMOperation> Outdated(std::vector<HSMOperation> operations, base::WallTime now) {
  const bool promotes = std::ranges::any_of(operations, [](const HSMOperation& operation) {
    return !operation.Finished() && operation.spec.type == cluster::OperationType::kPromote;
  });
  std::erase_if(operations, [&](const HSMOperation& operation) {
    return !operation.Finished() || operation.metadata.deletion_timestamp ||
           (promotes && IsPromotion(operation.spec));
  });
  std::ranges::sort(operations, [](const HSMOperation& a, const HSMOperation& b) {
    return a.status.completed_at > b.status.completed_at;
  });
  std::vector<HSMOperation> outdated;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (i + 1 >= kMaxFinishedOperations || operations[i].Expired(now))
      outdated.push_back(std::move(operations[i]));
  }
  return outdated;
}

void Remove(World& world, std::vector<HSMOperation> outdated, const std::function<bool()>& go_on) {
  base::Shuffle(outdated, world.rng);
  if (outdated.size() > kCollectedAtOnce) outdated.resize(kCollectedAtOnce);
  for (const HSMOperation& operation : outdated) {
    if (!go_on()) return;
    const cluster::ObjectMeta& one = operation.metadata;
    const auto gone =
        world.resources.Delete(HSMOperation::kKind, one.ns, one.name, one.resource_version);
    if (gone.Is(ErrorCode::kUnavailable) || gone.Is(ErrorCode::kInDoubt)) return;
  }
}

void Collect(World& world, const std::string& ns, const std::function<bool()>& go_on) {
  auto all = cluster::LoadAll<HSMOperation>(world.resources, ns);
  if (!all.ok()) return;
  std::map<std::string, std::vector<HSMOperation>> by_device;
  for (HSMOperation& operation : all->items)
    by_device[operation.spec.device_ref.name].push_back(std::move(operation));
  std::vector<HSMOperation> outdated;
  for (auto& [device, operations] : by_device)
    std::ranges::move(Outdated(std::move(operations), world.clock.Wall()),
                      std::back_inserter(outdated));
  Remove(world, std::move(outdated), go_on);
}

}  // namespace hsmops::manager
