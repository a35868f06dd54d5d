#include "libhsmops/manager/stranded.h"

#include <fmt/format.h>

#include <vector>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/operation_log.h"

namespace hsmops::manager {

using base::ErrorCode;
using cluster::HSMOperation;
using cluster::OperationPhase;

namespace {

bool EndIfCancelled(World& world, HSMOperation& operation) {
  if (operation.status.phase != OperationPhase::kPending || !operation.spec.cancel) return false;
  (void)EndOperation(world, operation, OperationPhase::kCancelled, "Cancelled",
                     "cancelled before it began; nothing was changed");
  return true;
}

// Why it is not begun.
void Say(World& world, HSMOperation& operation, const std::string& why) {
  if (operation.status.phase != OperationPhase::kPending || operation.status.message == why) return;
  operation.status.message = why;
  (void)cluster::SaveStatus(world.resources, operation);
}

void EndStray(World& world, HSMOperation& operation) {
  const std::string device = base::Printable(operation.spec.device_ref.name);
  if (operation.status.phase == OperationPhase::kRunning) {
    (void)EndOperation(world, operation, OperationPhase::kFailed,
                       std::string(base::Name(ErrorCode::kInDoubt)),
                       fmt::format("its device {} was deleted before it ended; its steps say what "
                                   "was done",
                                   device));
    return;
  }
  (void)EndOperation(world, operation, OperationPhase::kFailed,
                     std::string(base::Name(ErrorCode::kNotFound)),
                     fmt::format("there is no HSMDevice {} in namespace {}; nothing was changed",
                                 device, operation.metadata.ns));
}

}  // namespace

void TellWaiting(World& world, const std::string& ns, const std::string& device, bool lasts) {
  auto all = cluster::LoadAll<HSMOperation>(world.resources, ns);
  if (!all.ok()) return;
  const std::string waits = fmt::format(
      "it waits: its device cannot be looked after now; kubectl hsm health {} says why", device);
  for (HSMOperation& operation : all->items) {
    if (operation.spec.device_ref.name != device || EndIfCancelled(world, operation)) continue;
    if (lasts) Say(world, operation, waits);
  }
}

void Strays::Look(World& world, const std::string& ns, const std::set<std::string>& devices) {
  auto all = cluster::LoadAll<HSMOperation>(world.resources, ns);
  if (!all.ok()) return;
  const base::TimePoint now = world.clock.Now();
  std::map<std::string, base::TimePoint> missing;
  std::vector<HSMOperation> finished;
  for (HSMOperation& operation : all->items) {
    if (devices.contains(operation.spec.device_ref.name)) continue;
    if (operation.Finished()) {
      finished.push_back(std::move(operation));
      continue;
    }
    if (EndIfCancelled(world, operation)) continue;
    const std::string& name = operation.metadata.name;
    const auto known = missing_since_.find(name);
    const base::TimePoint since = known == missing_since_.end() ? now : known->second;
    missing.emplace(name, since);
    if (now - since >= kMissingFor) {
      EndStray(world, operation);
    } else {
      Say(world, operation,
          fmt::format("it waits: there is no HSMDevice {} in namespace {}; it fails where none "
                      "comes within {}",
                      base::Printable(operation.spec.device_ref.name), ns,
                      base::FormatDuration(kMissingFor)));
    }
  }
  missing_since_ = std::move(missing);
  ForgetOld(world, std::move(finished));
}

}  // namespace hsmops::manager
