#include "libhsmops/manager/promotion_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/manager/epoch_check.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using failover::Candidate;
using failover::Purpose;

namespace {

class Chooser {
 public:
  Chooser(Pool& pool, const PromotionOptions& options) : pool_(pool), options_(options) {}

  Result<PromotionChoice> Choose() {
    const cluster::PreviousTerm term = pool_.LastTerm();
    choice_.resumes = pool_.arbiter().phase == cluster::ArbiterPhase::kPromoting;
    choice_.state = pool_.Observe(true);
    if (term.holder) choice_.from = term.holder->node_name;
    HSM_RETURN_IF_ERROR(CheckWords());
    const auto obeyed = CheckEpoch(pool_, choice_.state);
    if (obeyed.Is(ErrorCode::kConflict)) return obeyed.error();
    const bool regressed = obeyed.Is(ErrorCode::kReadOnly);
    if (regressed && !options_.accept_loss) return obeyed.error();
    choice_.older_record = regressed || choice_.state.older_record;
    if (!choice_.resumes) {
      HSM_TRY(choice_.needed, JudgeHolder(regressed));
    }
    if (choice_.needed) HSM_RETURN_IF_ERROR(PickTarget(regressed));
    return std::move(choice_);
  }

 private:
  Result<void> CheckWords() const {
    if (!options_.expected_primary.empty() && options_.expected_primary != choice_.from) {
      return Error(ErrorCode::kConflict, fmt::format("the Primary is {}, not {}",
                                                     choice_.from.empty() ? "nobody" : choice_.from,
                                                     options_.expected_primary));
    }
    if (!options_.target.empty() && !pool_.Has(options_.target))
      return pool_.device().NoSuchMember(options_.target);
    return {};
  }

  // Whether the Primary of now is to be replaced. False: what was asked for is so already.
  Result<bool> JudgeHolder(bool regressed) {
    // "Already the Primary" needs its gate to be one that could open. Of an epoch that is over it
    // could not, and a new one above all is the way out.
    const failover::MemberView* holder = choice_.state.Holder();
    if (!regressed && !Unopened() && !options_.target.empty() && options_.target == choice_.from) {
      if (holder != nullptr && holder->Healthy()) {
        choice_.to = options_.target;
        return false;
      }
      return Error(
          ErrorCode::kReadOnly,
          fmt::format("{} is the Primary and is not healthy: {}; name another node",
                      options_.target, holder == nullptr ? "not seen" : holder->WhyUnhealthy()));
    }
    const bool healthy = holder != nullptr && holder->Healthy();
    if (options_.purpose == Purpose::kPromote && !healthy) {
      return Error(
          ErrorCode::kReadOnly,
          fmt::format("Primary {} cannot be asked to step down: {}; use kubectl hsm failover",
                      choice_.from, holder == nullptr ? "not seen" : holder->WhyUnhealthy()));
    }
    if (options_.purpose == Purpose::kFailover && !options_.accept_loss && healthy) {
      if (options_.target.empty() && FailedOverSince(options_.asked_at)) {
        choice_.to = holder->node;
        return false;
      }
      return Error(
          ErrorCode::kReadOnly,
          fmt::format("Primary {} is healthy: use kubectl hsm promote, which proves equality first",
                      choice_.from));
    }
    if (!options_.accept_loss && healthy && holder->status->legacy > 0) {
      return Error(ErrorCode::kReadOnly,
                   fmt::format("Primary {} holds {} secrets in the older operator's layout that no "
                               "mirror has; run kubectl hsm adopt first",
                               choice_.from, holder->status->legacy));
    }
    return true;
  }

  Result<void> PickTarget(bool regressed) {
    // What a person has agreed to lose does not keep a member from being chosen.
    const Purpose judge = options_.accept_loss ? Purpose::kForced
                          : choice_.resumes    ? Purpose::kPromote
                                               : options_.purpose;
    choice_.candidates = failover::Candidates(choice_.state, judge);
    if (choice_.resumes && !options_.accept_loss && options_.target.empty()) LeaveOutStrangers();
    const auto fits = [&](const Candidate& c) {
      return options_.target.empty() ? c.eligible() : c.node == options_.target;
    };
    const auto& all = choice_.candidates;
    auto chosen = std::ranges::find_if(all, [&](const Candidate& c) {
      return fits(c) && (!options_.target.empty() || !options_.avoid.contains(c.node));
    });
    if (chosen == all.end()) chosen = std::ranges::find_if(all, fits);
    const bool again = chosen != choice_.candidates.end() && chosen->node == choice_.from;
    if (chosen == choice_.candidates.end() || !chosen->eligible() ||
        (again && !choice_.resumes && !regressed && !Unopened())) {
      std::string reasons;
      for (const Candidate& c : choice_.candidates) {
        if (!options_.target.empty() && c.node != options_.target) continue;
        for (const std::string& why : c.reasons)
          reasons += fmt::format("{}{}{}", reasons.empty() ? "" : "; ",
                                 options_.target.empty() ? c.node + ": " : "", why);
      }
      return Error(
          ErrorCode::kReadOnly,
          fmt::format("{} be promoted: {}{}",
                      options_.target.empty() ? "no member can" : options_.target + " cannot",
                      reasons,
                      options_.purpose == Purpose::kFailover && !options_.accept_loss
                          ? "; what it would cost all the same, --accept-loss --dry-run "
                            "says"
                          : ""));
    }
    choice_.to = chosen->node;
    return {};
  }

  // P5 would refuse them after another P2, and again at every try.
  void LeaveOutStrangers() {
    const cluster::PreviousTerm term = pool_.LastTerm();
    for (Candidate& c : choice_.candidates) {
      if (c.node == choice_.from || term.sync_set.contains(pool_.UidTextOf(c.node))) continue;
      if (c.eligible())
        c.reasons.push_back(fmt::format("it was not in the sync set of {}",
                                        choice_.from.empty() ? "the last Primary" : choice_.from));
    }
  }

  // The Primary was promoted, its content has changed before its first grant, and a person accepts
  // what that may cost: it is promoted anew, with the content that it has.
  bool Unopened() const {
    const failover::MemberView* holder = choice_.state.Holder();
    return options_.accept_loss && holder != nullptr && !holder->why_closed.empty();
  }

  // So that it has what it asked for: another failover was faster.
  bool FailedOverSince(const std::optional<base::WallTime>& asked) const {
    const auto& history = pool_.device().status.history;
    return asked && std::ranges::any_of(history, [&](const cluster::HistoryEntry& entry) {
             return entry.IsFailover() && entry.time && *entry.time >= *asked;
           });
  }

  Pool& pool_;
  const PromotionOptions& options_;
  PromotionChoice choice_;
};

}  // namespace

Result<PromotionChoice> ChooseTarget(Pool& pool, const PromotionOptions& options) {
  return Chooser(pool, options).Choose();
}

}  // namespace hsmops::manager
