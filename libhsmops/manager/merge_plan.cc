#include "libhsmops/manager/merge_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using StepKind = mirror::Step::Kind;

namespace {

Result<store::Inventory> InventoryOf(Pool& pool, const std::string& node) {
  return pool.At(node)
      .ReadInventory(std::bitset<store::kBuckets>().set())
      .Within("reading " + node);
}

bool MayCount(const store::InventoryItem* held, Trust trust) {
  if (trust == Trust::kAll) return true;
  if (held == nullptr) return false;
  return trust == Trust::kKnownNames || held->state == store::InventoryItem::State::kDamaged;
}

// Every source, or kUnavailable.
Result<Comparison> CompareAll(Pool& pool, const std::string& target,
                              const std::map<std::string, Trust>& sources) {
  std::vector<std::string> nodes;
  for (const auto& [node, trust] : sources) nodes.push_back(node);
  HSM_TRY(Comparison comparison, Compare(pool, target, nodes));
  for (const mirror::MemberInventory& mirror : comparison.mirrors) {
    if (!mirror.inventory.ok())
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} answered and cannot be read any more; try again", mirror.node));
  }
  return comparison;
}

bool Holds(const store::Inventory& inventory, const store::InventoryItem& wanted) {
  return std::any_of(inventory.items.begin(), inventory.items.end(),
                     [&](const store::InventoryItem& item) {
                       return item.id == wanted.id && item.version == wanted.version;
                     });
}

// Before anything is planned: what counts for nothing must not outdo what counts.
void LeaveOut(Comparison& comparison, const std::map<std::string, Trust>& sources) {
  std::map<store::Id, const store::InventoryItem*> held;
  for (const store::InventoryItem& item : comparison.source.items) held[item.id] = &item;
  for (mirror::MemberInventory& mirror : comparison.mirrors) {
    if (!mirror.inventory.ok()) continue;
    std::erase_if(mirror.inventory->items, [&](const store::InventoryItem& item) {
      const auto at = held.find(item.id);
      return !MayCount(at == held.end() ? nullptr : at->second, sources.at(mirror.node));
    });
  }
}

}  // namespace

Result<MergePlan> PlanMerge(Pool& pool, const std::string& target,
                            const std::map<std::string, Trust>& sources) {
  HSM_TRY(Comparison comparison, CompareAll(pool, target, sources));
  LeaveOut(comparison, sources);
  // Against epoch 0 nothing is of an epoch that is over.
  MergePlan merge{
      mirror::Plan(comparison.source, comparison.mirrors, store::Epoch{}, false, CutsOf(pool)), {}};
  std::map<store::Id, store::Version> pulled;
  for (const mirror::Step& step : merge.pull.steps) {
    if (step.kind == StepKind::kRestore) pulled[step.id] = step.version;
  }
  for (const mirror::Step& step : merge.pull.steps) {
    // Damaged everywhere: promoting does not make it worse.
    if (step.kind != StepKind::kAlarm || step.node.empty()) continue;
    const auto whole = pulled.find(step.id);
    if (whole != pulled.end() && whole->second >= step.version) continue;
    merge.ambiguous.insert(fmt::format("{} on {}: {}", step.name, step.node, step.reason));
  }
  std::erase_if(merge.pull.steps,
                [](const mirror::Step& step) { return step.kind != StepKind::kRestore; });
  return merge;
}

Result<std::vector<store::InventoryItem>> BeyondCuts(Pool& pool, const std::string& target,
                                                     const std::map<std::string, Trust>& sources) {
  HSM_TRY(Comparison comparison, CompareAll(pool, target, sources));
  if (!comparison.equal.empty()) return std::vector<store::InventoryItem>{};  // has all of it
  if (sources.empty()) {
    HSM_TRY(comparison.source, InventoryOf(pool, target));
  }
  const std::vector<mirror::EpochCut> cuts = CutsOf(pool);
  std::vector<store::InventoryItem> beyond;
  for (const store::InventoryItem& item : comparison.source.items) {
    if (item.state == store::InventoryItem::State::kDamaged ||
        !mirror::BeyondCut(item.version, cuts))
      continue;
    const bool held = std::any_of(
        comparison.mirrors.begin(), comparison.mirrors.end(),
        [&](const mirror::MemberInventory& mirror) { return Holds(*mirror.inventory, item); });
    if (!held) beyond.push_back(item);
  }
  return beyond;
}

Result<std::uint64_t> DamageLeft(Pool& pool, const std::string& target,
                                 const mirror::SyncPlan& pull) {
  HSM_TRY(const store::Inventory own, InventoryOf(pool, target));
  std::set<store::Id> pulled;
  for (const mirror::Step& step : pull.steps) pulled.insert(step.id);
  return static_cast<std::uint64_t>(
      std::count_if(own.items.begin(), own.items.end(), [&](const store::InventoryItem& item) {
        return item.state == store::InventoryItem::State::kDamaged && !pulled.contains(item.id);
      }));
}

}  // namespace hsmops::manager
