#include "libhsmops/manager/target_merge.h"

#include <fmt/format.h>

#include "libhsmops/base/mutant.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Mutant;
using base::Result;

namespace {

constexpr int kMergePasses = 4;

}  // namespace

// The old Primary and S, and everybody when what only others hold would be given up otherwise.
std::map<std::string, Trust> TargetMerge::Sources() const {
  std::map<std::string, Trust> sources;
  for (const failover::MemberView& member : pool_.Recorded().members) {
    if (member.node == case_.to || !has_inventory_(member)) continue;
    const bool of_the_term = member.node == case_.from || member.in_sync_set;
    if (case_.older_record) {
      sources[member.node] = Trust::kKnownNames;
    } else if (of_the_term || (case_.accept_loss && !case_.covered)) {
      sources[member.node] = Trust::kAll;
    } else if (case_.accept_loss) {
      sources[member.node] = Trust::kRepairs;
    }
  }
  return sources;
}

// Of the term, and does not answer, so that it may have whole what the target has damaged; "" for
// nobody. After an older record that may be anybody.
std::string TargetMerge::SilentOfTheTerm() const {
  const failover::ClusterState recorded = pool_.Recorded();
  for (const failover::MemberView& member : recorded.members) {
    const bool counts = member.node == case_.from || member.in_sync_set || case_.older_record;
    if (counts && member.node != case_.to && !has_inventory_(member)) return member.node;
  }
  const bool gone =
      recorded.strangers_in_sync_set > 0 || (!case_.from.empty() && !pool_.Has(case_.from));
  return gone ? "a member that was taken out of the device" : "";
}

Result<mirror::SyncPlan> TargetMerge::WhatToPull() {
  HSM_TRY(MergePlan merge, PlanMerge(pool_, case_.to, Sources()));
  if (const std::string silent = SilentOfTheTerm(); !silent.empty()) {
    HSM_TRY(const std::uint64_t damaged, DamageLeft(pool_, case_.to, merge.pull));
    if (damaged > 0)
      merge.ambiguous.insert(fmt::format("{} secrets are damaged on {}, and {} may have them whole",
                                         damaged, case_.to, silent));
  }
  if (!merge.ambiguous.empty() && !case_.accept_loss)
    return Error(ErrorCode::kCorrupt, *merge.ambiguous.begin());
  given_up_ = std::move(merge.ambiguous);
  return std::move(merge.pull);
}

// What of the target's own nobody acknowledged, in an epoch that it missed the end of. A member of
// the term has in it what the term had; an older record's cuts say nothing of it.
Result<std::vector<store::InventoryItem>> TargetMerge::ToSetAside() {
  const failover::ClusterState recorded = pool_.Recorded();
  if (case_.older_record || case_.to == case_.from || recorded.Find(case_.to)->in_sync_set)
    return std::vector<store::InventoryItem>{};
  HSM_TRY(auto beyond, BeyondCuts(pool_, case_.to, Sources()));
  for (const store::InventoryItem& item : beyond) {
    if (item.state == store::InventoryItem::State::kPresent) set_aside_.insert(item.name);
  }
  return beyond;
}

// Before anything is pulled: else it outdoes what was acknowledged.
Result<void> TargetMerge::SetAside() {
  for (int pass = 0; pass < kMergePasses; ++pass) {
    HSM_TRY(const auto beyond, ToSetAside());
    if (beyond.empty()) return {};
    std::vector<store::IdVersion> versions;
    for (const store::InventoryItem& item : beyond) versions.push_back({item.id, item.version});
    HSM_RETURN_IF_ERROR(pool_.At(case_.to)
                            .Quarantine(pool_.term(), versions)
                            .Within("setting aside on " + case_.to));
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} goes on showing what its epoch had not acknowledged", case_.to));
}

Result<void> TargetMerge::Foresee() {
  HSM_TRY([[maybe_unused]] const mirror::SyncPlan plan, WhatToPull());
  HSM_TRY([[maybe_unused]] const auto beyond, ToSetAside());
  return {};
}

Result<std::uint64_t> TargetMerge::Do() {
  HSM_RETURN_IF_ERROR(SetAside());
  const mirror::Members members = MembersOf(pool_, pool_.nodes());
  std::uint64_t pulled = 0;
  for (int pass = 0; pass < kMergePasses; ++pass) {
    HSM_TRY(const mirror::SyncPlan plan, WhatToPull());
    if (plan.steps.empty() || base::On(Mutant::kNoMerge)) return pulled;
    // Who does not answer is asked once, not for each of its records. But where somebody gives up
    // what cannot be had an answer that is lost must not decide what that is: then it is all asked,
    // and tried again.
    const mirror::GoOn once = case_.accept_loss ? mirror::GoOn{} : [] { return true; };
    const mirror::ApplyReport applied = mirror::Apply(
        plan, pool_.At(case_.to), members, pool_.term(), pool_.world().executor, nullptr, once);
    pulled += applied.restored;
    for (const mirror::StepError& failed : applied.failed) {
      if (!failed.of_source && !case_.accept_loss) unreadable_.insert(failed.step.node);
    }
    if (!applied.failed.empty())
      return applied.failed.front().error.Within(
          fmt::format("{} pulling {}", case_.to, applied.failed.front().step.name));
  }
  return Error(ErrorCode::kUnavailable,
               "the members keep changing while the target pulls from them");
}

std::set<std::string> TargetMerge::GivenUp() const {
  std::set<std::string> sentences = given_up_;
  if (!set_aside_.empty()) {
    sentences.insert(fmt::format(
        "{} values of {} are in quarantine: their epoch had not acknowledged them when it ended",
        set_aside_.size(), case_.to));
  }
  return sentences;
}

}  // namespace hsmops::manager
