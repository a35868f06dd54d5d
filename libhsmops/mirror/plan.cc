#include "libhsmops/mirror/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "libhsmops/base/mutant.h"

namespace hsmops::mirror {
namespace {

using store::InventoryItem;
using State = InventoryItem::State;

const InventoryItem* Find(const store::Inventory& inventory, const store::Id& id) {
  const auto at = std::lower_bound(
      inventory.items.begin(), inventory.items.end(), id,
      [](const InventoryItem& item, const store::Id& wanted) { return item.id < wanted; });
  return at == inventory.items.end() || at->id != id ? nullptr : &*at;
}

Step MakeStep(Step::Kind kind, const std::string& node, const InventoryItem& item,
              std::string reason) {
  return {kind, node, item.id, item.name, item.version, item.bytes, 0, std::move(reason)};
}

bool HasLegacy(const store::Inventory& inventory, const std::string& name) {
  return std::any_of(inventory.legacy.begin(), inventory.legacy.end(),
                     [&](const store::LegacyItem& item) { return item.name == name; });
}

// One id on one mirror against the source; `epoch` and `cuts` as for Plan.
std::optional<Step> Compare(const InventoryItem* source, const std::string& node,
                            const InventoryItem* mirror, const store::Epoch& epoch,
                            const std::vector<EpochCut>& cuts) {
  using Kind = Step::Kind;
  const bool whole_elsewhere =
      source != nullptr && mirror != nullptr && source->version == mirror->version;
  if (mirror != nullptr && mirror->state != State::kDamaged && !whole_elsewhere &&
      BeyondCut(mirror->version, cuts)) {
    return MakeStep(Kind::kQuarantine, node, *mirror,
                    "beyond what its epoch had acknowledged when it ended");
  }
  if (source == nullptr) {
    if (mirror == nullptr) return std::nullopt;
    // Acknowledged, and whoever does not know of it would let the value of an older member back in.
    if (mirror->state == State::kTombstone)
      return MakeStep(Kind::kRestore, node, *mirror, "deleted, which the Primary does not know");
    if (mirror->state == State::kDamaged)
      return MakeStep(Kind::kAlarm, node, *mirror, "damaged here, and the Primary has none");
    if (mirror->version.epoch < epoch)
      return MakeStep(Kind::kQuarantine, node, *mirror, "the current epoch does not have it");
    return MakeStep(Kind::kRestore, node, *mirror, "the Primary has lost it");
  }
  if (source->state == State::kDamaged) {
    const bool whole =
        mirror != nullptr && mirror->state != State::kDamaged && mirror->version >= source->version;
    if (whole) return MakeStep(Kind::kRestore, node, *mirror, "damaged on the Primary");
    return std::nullopt;  // an alarm, if no other member has it either
  }
  if (mirror == nullptr) {
    const bool deleted = source->state == State::kTombstone;
    return MakeStep(Kind::kCopy, node, *source, deleted ? "deleted" : "missing");
  }
  if (mirror->state == State::kDamaged) {
    if (source->version >= mirror->version) return MakeStep(Kind::kCopy, node, *source, "damaged");
    return MakeStep(Kind::kAlarm, node, *mirror,
                    "damaged here in a version that the Primary does not have");
  }
  if (mirror->version < source->version) return MakeStep(Kind::kCopy, node, *source, "older");
  if (mirror->version == source->version) {
    if (mirror->digest == source->digest) return std::nullopt;
    return MakeStep(Kind::kAlarm, node, *mirror, "the same version with another content");
  }
  if (mirror->version.epoch < epoch)
    return MakeStep(Kind::kQuarantine, node, *mirror,
                    "the current epoch does not have this version");
  return MakeStep(Kind::kRestore, node, *mirror, "the Primary has only an older version");
}

// A tombstone of the source may go when no member has anything else under that id.
bool EverywhereDead(const InventoryItem& source,
                    const std::vector<const store::Inventory*>& mirrors) {
  return std::all_of(mirrors.begin(), mirrors.end(), [&](const store::Inventory* mirror) {
    const InventoryItem* item = Find(*mirror, source.id);
    if (HasLegacy(*mirror, source.name)) return false;
    return item == nullptr || (item->state == State::kTombstone && item->version == source.version);
  });
}

// Of several members that could restore one id, the greatest version does.
void KeepBestRestore(std::vector<Step>& steps) {
  std::map<store::Id, store::Version> best;
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::kRestore) best[step.id] = std::max(best[step.id], step.version);
  }
  std::set<store::Id> taken;
  std::erase_if(steps, [&](const Step& step) {
    return step.kind == Step::Kind::kRestore &&
           (step.version < best[step.id] || !taken.insert(step.id).second);
  });
}

}  // namespace

bool BeyondCut(const store::Version& version, const std::vector<EpochCut>& cuts) {
  return std::any_of(cuts.begin(), cuts.end(), [&](const EpochCut& cut) {
    return cut.epoch == version.epoch && version.lsn > cut.lsn;
  });
}

SyncPlan Plan(const store::Inventory& source, const std::vector<MemberInventory>& mirrors,
              const store::Epoch& epoch, bool every_member, const std::vector<EpochCut>& cuts) {
  SyncPlan plan;
  std::vector<const store::Inventory*> known;
  std::set<store::Id> ids;
  for (const InventoryItem& item : source.items) ids.insert(item.id);
  for (const MemberInventory& mirror : mirrors) {
    if (!mirror.inventory.ok()) {
      plan.unknown.push_back(mirror.node);
      continue;
    }
    known.push_back(&*mirror.inventory);
    for (const InventoryItem& item : mirror.inventory->items) ids.insert(item.id);
  }
  for (const store::Id& id : ids) {
    const InventoryItem* from = Find(source, id);
    bool restored = false;
    for (const MemberInventory& mirror : mirrors) {
      if (!mirror.inventory.ok()) continue;
      auto step = Compare(from, mirror.node, Find(*mirror.inventory, id), epoch, cuts);
      if (!step) continue;
      step->era = step->kind == Step::Kind::kRestore ? source.era : mirror.inventory->era;
      restored = restored || step->kind == Step::Kind::kRestore;
      plan.steps.push_back(*std::move(step));
    }
    if (from != nullptr && from->state == State::kDamaged && !restored && plan.unknown.empty()) {
      plan.steps.push_back(MakeStep(Step::Kind::kAlarm, "", *from,
                                    "damaged on the Primary and no member has it whole"));
    }
    const bool all_known = plan.unknown.empty() && every_member;
    if (from != nullptr && from->state == State::kTombstone &&
        ((all_known && EverywhereDead(*from, known)) || base::On(base::Mutant::kTombstoneEarly))) {
      plan.dead.push_back({id, from->version});
    }
  }
  KeepBestRestore(plan.steps);
  std::stable_sort(plan.steps.begin(), plan.steps.end(), [](const Step& a, const Step& b) {
    return (a.kind == Step::Kind::kRestore) > (b.kind == Step::Kind::kRestore);
  });
  return plan;
}

}  // namespace hsmops::mirror
