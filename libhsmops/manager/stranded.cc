#include "libhsmops/manager/stranded.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"
#include "libhsmops/base/shuffle.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/raw_status.h"

namespace hsmops::manager {

using base::ErrorCode;
using cluster::HSMOperation;
using cluster::Object;
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

// One look: what it may still write, and does.
class Strays::Round {
 public:
  Round(World& world, const std::function<bool()>& go_on) : world_(world), go_on_(go_on) {}

  // `missing`: so long its device has not been there.
  void Treat(HSMOperation& operation, base::Duration missing) {
    if (missing < kMissingFor && !operation.spec.cancel) {
      if (go_on_()) SayMissing(operation);
      return;
    }
    const bool pending = operation.status.phase == OperationPhase::kPending;
    if (missing < kMissingFor && !pending) return;
    if (!May() || EndIfCancelled(world_, operation)) return;
    // What is listed may be a while old.
    const std::string& device = operation.spec.device_ref.name;
    const auto there =
        world_.resources.GetLatest(cluster::Kind::kHsmDevice, operation.metadata.ns, device);
    if (there.Is(ErrorCode::kNotFound)) EndStray(world_, operation);
  }

  // One that says Running is for whoever carries it. False: the store refuses it as it is, too.
  bool EndRefused(const Object& object, const base::Error& why) {
    RawStatus status(object);
    const std::string phase = kube::TextIn(status.value(), "/phase");
    if ((!phase.empty() && phase != "Pending") || !May()) return true;
    const bool begun = !kube::ItemsIn(status.value(), "/steps").empty();
    status.value()["phase"] = "Failed";
    status.value()["result"] = base::Name(begun ? ErrorCode::kInDoubt : ErrorCode::kInvalid);
    status.value()["message"] =
        fmt::format("{}; {}", base::Printable(why.message()),
                    begun ? "its steps say what was done" : "nothing was changed");
    status.value()["completedAt"] = base::FormatTime(world_.clock.Wall());
    return !status.Write(world_.resources).Is(ErrorCode::kInvalid);
  }

 private:
  bool May() { return go_on_() && written_++ < kAtOnce; }

  void SayMissing(HSMOperation& operation) {
    Say(world_, operation,
        fmt::format("it waits: there is no HSMDevice {} in namespace {}; it fails where none comes "
                    "within {}",
                    base::Printable(operation.spec.device_ref.name), operation.metadata.ns,
                    base::FormatDuration(kMissingFor)));
  }

  World& world_;
  const std::function<bool()>& go_on_;
  int written_ = 0;
};

void Strays::Look(World& world, const std::string& ns, const std::set<std::string>& devices,
                  const std::function<bool()>& go_on) {
  auto all = world.resources.List(HSMOperation::kKind, ns);
  if (!all.ok()) return;
  base::Shuffle(all->items, world.rng);  // so that some that cannot be ended keep no others from it
  const base::TimePoint now = world.clock.Now();
  // What was not looked at may have been there meanwhile.
  if (!looked_ || now - *looked_ > kLongestGap) missing_since_.clear();
  looked_ = now;
  Round round(world, go_on);
  std::map<Missing, base::TimePoint> missing;
  std::set<Version> hopeless;
  for (const Object& object : all->items) {
    auto operation = HSMOperation::FromJson(object.document());
    if (!operation.ok()) {
      const Version version{object.key().name, object.version()};
      if (hopeless_.contains(version) || !round.EndRefused(object, operation.error()))
        hopeless.insert(version);
      continue;
    }
    const std::string& device = operation->spec.device_ref.name;
    if (devices.contains(device) || operation->Finished()) continue;
    const Missing key{operation->metadata.name, operation->metadata.uid, device};
    const auto known = missing_since_.find(key);
    const base::TimePoint since = known == missing_since_.end() ? now : known->second;
    missing.emplace(key, since);
    round.Treat(*operation, now - since);
  }
  missing_since_ = std::move(missing);
  hopeless_ = std::move(hopeless);
}

}  // namespace hsmops::manager
