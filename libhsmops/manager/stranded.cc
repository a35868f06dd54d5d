#include "libhsmops/manager/stranded.h"

#include <fmt/format.h>

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
  (void)EndCancelled(world, operation);
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
  if (WasBegun(operation)) {
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
  // What was not looked at may have been there meanwhile.
  if (!looked_ || now - *looked_ > kLongestGap) missing_since_.clear();
  looked_ = now;
  std::map<Missing, base::TimePoint> missing;
  for (HSMOperation& operation : all->items) {
    const std::string& device = operation.spec.device_ref.name;
    if (devices.contains(device)) continue;
    if (operation.Finished()) {
      if (operation.Expired(world.clock.Wall()))
        (void)world.resources.Delete(HSMOperation::kKind, ns, operation.metadata.name,
                                     operation.metadata.resource_version);
      continue;
    }
    if (EndIfCancelled(world, operation)) continue;
    const Missing key{operation.metadata.name, operation.metadata.uid, device};
    const auto known = missing_since_.find(key);
    const base::TimePoint since = known == missing_since_.end() ? now : known->second;
    missing.emplace(key, since);
    if (now - since >= kMissingFor) {
      EndStray(world, operation);
    } else {
      Say(world, operation,
          fmt::format("it waits: there is no HSMDevice {} in namespace {}; it fails where none "
                      "comes within {}",
                      base::Printable(device), ns, base::FormatDuration(kMissingFor)));
    }
  }
  missing_since_ = std::move(missing);
}

}  // namespace hsmops::manager
