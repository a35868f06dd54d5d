#include "libhsmops/manager/device_versions.h"

#include <fmt/format.h>

#include <bitset>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using store::InventoryItem;

namespace {

std::bitset<store::kBuckets> Differing(const std::optional<store::InventoryDigest>& before,
                                       const store::InventoryDigest& now) {
  std::bitset<store::kBuckets> buckets;
  for (std::size_t i = 0; i < store::kBuckets; ++i)
    buckets[i] = !before || before->buckets[i] != now.buckets[i];
  return buckets;
}

}  // namespace

Result<void> DeviceVersions::OpenPool() {
  bool open = !pool_;
  if (pool_) {
    HSM_TRY(open, pool_->ReloadDevice());
    if (!open) return pool_->ReloadArbiter();
  }
  HSM_TRY(pool_, Pool::Open(world_, ns_, device_));
  return {};
}

DeviceVersions::Changes DeviceVersions::Lose(std::string why) {
  const bool known = !node_.empty();
  const bool same = why == why_;
  node_.clear();
  why_ = std::move(why);
  return {known || !same, {}};
}

DeviceVersions::Changes DeviceVersions::Refresh() {
  refreshed_ = world_.clock.Now();
  if (const auto opened = OpenPool(); !opened.ok()) return Lose(opened.error().message());
  const std::string primary = pool_->holder();
  std::vector<std::string> nodes = pool_->SyncSetNodes();
  if (!primary.empty()) nodes.insert(nodes.begin(), primary);
  std::string why = "no member is known to hold what is acknowledged";
  for (const std::string& node : nodes) {
    const bool was_unknown = node_.empty();
    auto changes = ReadFrom(node);
    if (!changes.ok()) {
      why = changes.error().message();
      continue;
    }
    node_ = node;
    // What a mirror lacks may be there all the same, so its word and the Primary's differ.
    const bool by_primary = node == primary;
    if (was_unknown || by_primary != by_primary_) changes->all = true;
    by_primary_ = by_primary;
    return *std::move(changes);
  }
  return Lose(why);
}

Result<DeviceVersions::Changes> DeviceVersions::ReadFrom(const std::string& node) {
  mirror::Member& member = pool_->At(node);
  HSM_TRY(const store::InventoryDigest digest, member.Digest().Within(node));
  Changes changes;
  if (digest_ && digest_->root == digest.root) return changes;
  const auto buckets = Differing(digest_, digest);
  HSM_TRY(const store::Inventory inventory, member.ReadInventory(buckets).Within(node));
  const auto in_buckets = [&](const store::Id& id) { return buckets[id.front()]; };
  std::erase_if(items_, [&](const auto& entry) {
    if (!in_buckets(entry.first)) return false;
    changes.names.insert(entry.second.name);
    return true;
  });
  for (const InventoryItem& item : inventory.items) {
    if (!in_buckets(item.id)) continue;
    changes.names.insert(item.name);
    items_[item.id] = item;
  }
  // One that nobody can read has no name.
  if (changes.names.contains("")) changes.all = true;
  std::set<std::string> legacy;
  for (const store::LegacyItem& item : inventory.legacy) legacy.insert(item.name);
  if (legacy != legacy_) changes.all = true;
  legacy_ = std::move(legacy);
  // A write may have come between the two: what was read is as the inventory says, and the rest as
  // it was before, so that it is read the next time.
  digest_ = digest;
  for (std::size_t i = 0; i < store::kBuckets; ++i) {
    if (buckets[i]) digest_->buckets[i] = inventory.digest.buckets[i];
  }
  if (inventory.digest.root != digest.root) digest_->root = {};
  return changes;
}

HeldVersion DeviceVersions::Of(const std::string& name) const {
  HeldVersion held;
  held.node = node_;
  held.by_primary = by_primary_;
  held.why = why_;
  if (node_.empty()) return held;
  const auto parsed = store::SecretName::Parse(name);
  if (!parsed.ok() || !pool_) return held;
  const auto found = items_.find(store::IdOf(pool_->uid(), *parsed));
  if (found == items_.end() && legacy_.contains(name)) {
    held.why = "it is in the older operator's layout: kubectl hsm adopt takes it over";
    return held;
  }
  if (found == items_.end() || found->second.state == InventoryItem::State::kTombstone) {
    held.state = by_primary_ ? HeldVersion::State::kAbsent : HeldVersion::State::kUnknown;
    held.why = fmt::format("{} has none, and the Primary does not answer", node_);
    return held;
  }
  const InventoryItem& item = found->second;
  if (item.state == InventoryItem::State::kDamaged) {
    held.why = fmt::format("the copy on {} is damaged", node_);
    return held;
  }
  held.state = HeldVersion::State::kPresent;
  held.version = item.version;
  return held;
}

}  // namespace hsmops::manager
