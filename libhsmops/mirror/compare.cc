#include "libhsmops/mirror/compare.h"

#include <algorithm>

#include "libhsmops/mirror/apply.h"

namespace hsmops::mirror {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

struct Asked {
  std::string node;
  Member* member;
  Result<store::InventoryDigest> digest = Error(ErrorCode::kUnavailable, "not asked");
};

std::vector<Asked> AskDigests(const Members& mirrors, base::Executor& executor) {
  std::vector<Asked> asked;
  for (const auto& [node, member] : mirrors) asked.push_back({node, member});
  std::vector<base::Executor::Task> tasks;
  for (Asked& one : asked) tasks.push_back([&one] { one.digest = one.member->Digest(); });
  executor.RunAll(std::move(tasks));
  return asked;
}

bool HoldsAllOf(const store::Inventory& source, const store::Inventory& mirror) {
  return std::ranges::all_of(source.items, [&](const store::InventoryItem& item) {
    if (item.state == store::InventoryItem::State::kDamaged) return true;
    const auto its = std::ranges::lower_bound(mirror.items, item.id, {}, &store::InventoryItem::id);
    return its != mirror.items.end() && its->id == item.id && its->version == item.version &&
           its->digest == item.digest;
  });
}

}  // namespace

bool Comparison::IsEqual(const std::string& node) const {
  return std::find(equal.begin(), equal.end(), node) != equal.end();
}

std::vector<std::string> Comparison::Holders() const {
  std::vector<std::string> holders = equal;
  for (const MemberInventory& mirror : mirrors) {
    if (mirror.inventory.ok() && HoldsAllOf(source, *mirror.inventory))
      holders.push_back(mirror.node);
  }
  return holders;
}

Result<Comparison> Compare(const std::string& source_node, Member& source, const Members& mirrors,
                           base::Executor& executor) {
  HSM_TRY(const store::InventoryDigest own, source.Digest().Within(source_node));
  Comparison comparison;
  std::bitset<store::kBuckets> differ;
  std::vector<MemberInventory> listed;
  std::vector<Member*> to_list;
  for (const Asked& asked : AskDigests(mirrors, executor)) {
    if (!asked.digest.ok()) {
      comparison.mirrors.push_back({asked.node, asked.digest.error()});
    } else if (asked.digest->root == own.root) {
      comparison.equal.push_back(asked.node);
    } else {
      listed.push_back({asked.node, Error(ErrorCode::kUnavailable, "not asked")});
      to_list.push_back(asked.member);
      for (std::size_t b = 0; b < store::kBuckets; ++b) {
        if (asked.digest->buckets[b] != own.buckets[b]) differ.set(b);
      }
    }
  }
  if (listed.empty()) return comparison;
  HSM_TRY(comparison.source, source.ReadInventory(differ).Within(source_node));
  std::vector<base::Executor::Task> tasks;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    tasks.push_back([&, i] { listed[i].inventory = to_list[i]->ReadInventory(differ); });
  }
  executor.RunAll(std::move(tasks));
  std::move(listed.begin(), listed.end(), std::back_inserter(comparison.mirrors));
  return comparison;
}

Result<Comparison> CopyMissing(const std::string& source_node, Member& source,
                               const Members& mirrors, const store::Term& term,
                               base::Executor& executor) {
  HSM_TRY(Comparison comparison, Compare(source_node, source, mirrors, executor));
  if (comparison.mirrors.empty()) return comparison;
  const SyncPlan plan = Plan(comparison.source, comparison.mirrors, term.epoch, false);
  const bool only_copies = std::all_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) {
    return step.kind == Step::Kind::kCopy;
  });
  if (plan.steps.empty() || plan.steps.size() > kCatchUpSteps || !only_copies) return comparison;
  (void)Apply(plan, source, mirrors, term, executor,
              nullptr);  // the comparison tells how far it got
  return Compare(source_node, source, mirrors, executor);
}

}  // namespace hsmops::mirror
