#include "libhsmops/manager/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using store::InventoryItem;
using State = InventoryItem::State;

std::string_view Name(Holding holding) {
  switch (holding) {
    case Holding::kEqual:
      return "InSync";
    case Holding::kOlder:
      return "Older";
    case Holding::kNewer:
      return "Newer";
    case Holding::kDiffers:
      return "Differs";
    case Holding::kMissing:
      return "Missing";
    case Holding::kDamaged:
      return "Damaged";
    case Holding::kUnknown:
      return "Unknown";
  }
  return "Unknown";
}

std::string SecretCoverage::Summary() const {
  if (legacy) return "legacy";
  std::size_t equal = 0;
  std::size_t unknown = 0;
  for (const HeldBy& device : devices) {
    if (device.holding == Holding::kDiffers || device.holding == Holding::kDamaged)
      return "inconsistent";
    if (device.holding == Holding::kEqual) ++equal;
    if (device.holding == Holding::kUnknown) ++unknown;
  }
  if (equal == devices.size()) return "full";
  if (unknown > 0 && equal + unknown == devices.size()) return "unknown";
  return fmt::format("{}/{}", equal, devices.size());
}

namespace {

using Inventories = std::map<std::string, Result<store::Inventory>>;

const InventoryItem* Find(const store::Inventory& inventory, const store::Id& id) {
  const auto at = std::lower_bound(
      inventory.items.begin(), inventory.items.end(), id,
      [](const InventoryItem& item, const store::Id& wanted) { return item.id < wanted; });
  return at == inventory.items.end() || at->id != id ? nullptr : &*at;
}

// The item that the others are compared with: the Primary's, else the greatest whole one.
const InventoryItem* Reference(const Inventories& inventories, const std::string& primary,
                               const store::Id& id) {
  const auto own = inventories.find(primary);
  if (own != inventories.end() && own->second.ok()) {
    const InventoryItem* item = Find(*own->second, id);
    if (item != nullptr && item->state != State::kDamaged) return item;
  }
  const InventoryItem* best = nullptr;
  for (const auto& [node, inventory] : inventories) {
    if (!inventory.ok()) continue;
    const InventoryItem* item = Find(*inventory, id);
    if (item == nullptr) continue;
    const bool better = best == nullptr ||
                        (item->state != State::kDamaged && best->state == State::kDamaged) ||
                        (item->version > best->version && item->state != State::kDamaged);
    if (better) best = item;
  }
  return best;
}

HeldBy Judge(const std::string& node, const Result<store::Inventory>& inventory,
             const InventoryItem& reference) {
  HeldBy held{node, Holding::kUnknown, {}};
  if (!inventory.ok()) return held;
  const InventoryItem* item = Find(*inventory, reference.id);
  if (item == nullptr) {
    held.holding = Holding::kMissing;
    return held;
  }
  held.version = item->version;
  if (item->state == State::kDamaged) {
    held.holding = Holding::kDamaged;
  } else if (item->version != reference.version) {
    held.holding = item->version < reference.version ? Holding::kOlder : Holding::kNewer;
  } else {
    held.holding = item->digest == reference.digest ? Holding::kEqual : Holding::kDiffers;
  }
  return held;
}

// What each member says of itself. Who does not answer that in some seconds is not asked for an
// inventory, for which half a minute is waited.
std::map<std::string, Result<mirror::MemberStatus>> StatusesOf(Pool& pool) {
  std::map<std::string, Result<mirror::MemberStatus>> statuses;
  for (const std::string& node : pool.nodes())
    statuses.emplace(node, Error(ErrorCode::kUnavailable, "not asked"));
  std::vector<base::Executor::Task> tasks;
  for (auto& [node, status] : statuses)
    tasks.push_back(
        [&pool, &node = node, &status = status] { status = pool.At(node).Status(false); });
  pool.world().executor.RunAll(std::move(tasks));
  return statuses;
}

void ReadThese(Pool& pool, const std::vector<std::string>& nodes, Inventories& inventories) {
  std::vector<base::Executor::Task> tasks;
  for (const std::string& node : nodes) {
    tasks.push_back([&pool, &node, &inventory = inventories.at(node)] {
      inventory = pool.At(node).ReadInventory(std::bitset<store::kBuckets>().set());
    });
  }
  pool.world().executor.RunAll(std::move(tasks));
}

// A mirror whose digest is that of the Primary's inventory holds what that says, and is not asked
// for it again; nothing is said there of what was set aside, so one that has such is.
Inventories ReadAll(Pool& pool) {
  const auto statuses = StatusesOf(pool);
  const std::string primary = pool.holder();
  const auto leading = statuses.find(primary);
  const bool known = leading != statuses.end() && leading->second.ok() && leading->second->digest;
  Inventories inventories;
  std::vector<std::string> asked;
  std::vector<std::string> equal;
  for (const auto& [node, status] : statuses) {
    inventories.emplace(node,
                        status.ok() ? Error(ErrorCode::kUnavailable, "not asked") : status.error());
    if (!status.ok()) continue;
    const bool same = known && node != primary && status->quarantined == 0 && status->digest &&
                      *status->digest == *leading->second->digest;
    (same ? equal : asked).push_back(node);
  }
  ReadThese(pool, asked, inventories);
  if (equal.empty()) return inventories;
  const Result<store::Inventory>& its = inventories.at(primary);
  if (!its.ok() || its->digest.root != *leading->second->digest) {  // written to meanwhile
    ReadThese(pool, equal, inventories);
    return inventories;
  }
  for (const std::string& node : equal) {
    inventories.at(node) = its;
    inventories.at(node)->quarantine.clear();
  }
  return inventories;
}

}  // namespace

CoverageReport Cover(Pool& pool) {
  CoverageReport report;
  report.primary = pool.holder();
  const Inventories inventories = ReadAll(pool);
  std::set<store::Id> ids;
  for (const auto& [node, inventory] : inventories) {
    if (!inventory.ok()) {
      report.unknown.emplace(node, inventory.error());
      continue;
    }
    for (const InventoryItem& item : inventory->items) ids.insert(item.id);
    if (!inventory->quarantine.empty()) report.quarantine[node] = inventory->quarantine;
  }
  const auto primary = inventories.find(report.primary);
  report.primary_known = primary != inventories.end() && primary->second.ok();
  for (const store::Id& id : ids) {
    const InventoryItem* reference = Reference(inventories, report.primary, id);
    const bool deleted = reference->state == State::kTombstone;
    SecretCoverage secret;
    secret.id = id;
    secret.name = reference->name;
    secret.keys = reference->keys;
    secret.version = reference->version;
    if (reference->state != State::kDamaged) secret.written_at = reference->written_at;
    secret.bytes = reference->bytes;
    bool alive = !deleted;
    for (const std::string& node : pool.nodes()) {
      secret.devices.push_back(Judge(node, inventories.at(node), *reference));
      if (deleted && inventories.at(node).ok()) {
        const InventoryItem* item = Find(*inventories.at(node), id);
        // What only lags behind a deletion is deleted; what is ahead of it is for a person.
        alive = alive || (item != nullptr && item->state == State::kPresent &&
                          item->version > reference->version);
      }
    }
    if (alive) report.secrets.push_back(std::move(secret));
  }
  if (report.primary_known) {
    for (const store::LegacyItem& item : primary->second->legacy) {
      SecretCoverage secret;
      secret.name = item.name;
      secret.keys = item.keys;
      secret.legacy = true;
      secret.reason = item.reason;
      report.secrets.push_back(std::move(secret));
    }
  }
  std::stable_sort(
      report.secrets.begin(), report.secrets.end(),
      [](const SecretCoverage& a, const SecretCoverage& b) { return a.name < b.name; });
  return report;
}

std::optional<cluster::SecretCounts> CountSecrets(const CoverageReport& report) {
  if (!report.primary_known && report.secrets.empty() && !report.unknown.empty()) return {};
  cluster::SecretCounts counts;
  for (const SecretCoverage& secret : report.secrets) {
    const std::string summary = secret.Summary();
    ++counts.total;
    if (summary == "full") {
      ++counts.full;
    } else if (summary == "inconsistent") {
      ++counts.inconsistent;
    } else if (summary != "unknown") {
      ++counts.partial;
    }
    const auto copies =
        std::count_if(secret.devices.begin(), secret.devices.end(),
                      [](const HeldBy& device) { return device.holding == Holding::kEqual; });
    if (copies == 1 && secret.devices.size() > 1 && summary != "unknown") ++counts.unreplicated;
  }
  for (const auto& [node, aside] : report.quarantine)
    counts.diverged += static_cast<std::int64_t>(aside.size());
  return counts;
}

namespace {

std::string OnlyOn(const std::string& node, const InventoryItem& item, const std::string& other) {
  return item.state == State::kTombstone
             ? fmt::format("deleted on {}, which {} does not know", node, other)
             : "only on " + node;
}

// One id, which at least one of the two has; "" for no difference.
std::string WhatDiffers(const std::string& left_node, const InventoryItem* left,
                        const std::string& right_node, const InventoryItem* right) {
  if (left == nullptr) return OnlyOn(right_node, *right, left_node);
  if (right == nullptr) return OnlyOn(left_node, *left, right_node);
  if (left->state == State::kDamaged) return "damaged on " + left_node;
  if (right->state == State::kDamaged) return "damaged on " + right_node;
  if (left->version == right->version)
    return left->digest == right->digest ? "" : "the same version with another content";
  const bool left_is_newer = left->version > right->version;
  const State newer = left_is_newer ? left->state : right->state;
  const State older = left_is_newer ? right->state : left->state;
  if (newer == State::kTombstone && older != State::kTombstone)
    return "deleted on " + (left_is_newer ? left_node : right_node);
  return "older on " + (left_is_newer ? right_node : left_node);
}

}  // namespace

std::vector<Difference> Differences(const std::string& left_node, const store::Inventory& left,
                                    const std::string& right_node, const store::Inventory& right) {
  std::set<store::Id> ids;
  for (const InventoryItem& item : left.items) ids.insert(item.id);
  for (const InventoryItem& item : right.items) ids.insert(item.id);
  std::vector<Difference> differences;
  for (const store::Id& id : ids) {
    const InventoryItem* l = Find(left, id);
    const InventoryItem* r = Find(right, id);
    Difference d;
    d.what = WhatDiffers(left_node, l, right_node, r);
    if (d.what.empty()) continue;
    d.name = l != nullptr && !l->name.empty() ? l->name : r != nullptr ? r->name : "";
    if (l != nullptr) d.left = l->version;
    if (r != nullptr) d.right = r->version;
    differences.push_back(std::move(d));
  }
  std::stable_sort(differences.begin(), differences.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return differences;
}

}  // namespace hsmops::manager
