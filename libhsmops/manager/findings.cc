#include "libhsmops/manager/findings.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"
#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/copies.h"
#include "libhsmops/manager/policy.h"
#include "libhsmops/store/legacy_layout.h"

namespace hsmops::manager {

using cluster::Finding;
using cluster::Severity;
using failover::ClusterState;
using failover::Managers;
using failover::MemberView;

namespace {

constexpr std::size_t kNamesShown = 5;  // of those that one finding is about

std::string NextStepFor(const MemberView& member) {
  if (!member.wiped_by.empty()) return "wait for it: kubectl hsm operation wait " + member.wiped_by;
  if (!member.reachable() && member.told) {
    return "its agent answers, and its token is at something long or hangs: wait for what kubectl "
           "hsm operation list says is under way, or mend the token";
  }
  if (!member.reachable())
    return "start or mend what the message names (agent, host, token); it is asked again at every "
           "look";
  const auto& status = *member.status;
  if (status.pin == token::PinState::kLocked) return "unblock the PIN with the SO PIN";
  if (status.pin == token::PinState::kRejected) return "correct the PIN file that pin-source names";
  if (status.standing == store::Standing::kForeign) {
    return "put the right token in, or have its maker's tool initialise this one and then kubectl "
           "hsm reinit --node " +
           member.node;
  }
  if (status.standing == store::Standing::kEmptied || status.standing == store::Standing::kBlank)
    return "kubectl hsm reinit --node " + member.node;
  return "mend what the message names (the token, its PIN file, the agent's disk), then kubectl "
         "hsm "
         "sync";
}

// Why the promotion that is under way did not come to its end when it was last tried.
std::string LastFailure(const cluster::HSMDevice& device, const std::string& operation) {
  const auto& history = device.status.history;
  const auto last = std::find_if(history.rbegin(), history.rend(), [&](const auto& entry) {
    return entry.outcome == cluster::kFailedOutcome && entry.operation == operation;
  });
  return operation.empty() || last == history.rend() ? "" : last->cause;
}

std::string BeingPromoted(const std::string& target) {
  return target + " is being promoted, and nobody can write until it is done";
}

// What a manager that leads has begun it also ends.
Finding PromotionFinding(const cluster::HSMDevice& device, const ClusterState& state) {
  if (state.managers == Managers::kLead) {
    const std::string failure = LastFailure(device, state.operation);
    return {
        Severity::kCritical, state.target, "FailingOver",
        fmt::format("{}{}{}", BeingPromoted(state.target),
                    failure.empty() ? "" : "; the last try failed: ", failure),
        fmt::format("wait for it{}; if it does not end, bring back who does not answer, choose "
                    "another with kubectl hsm failover --to NODE, or give up what cannot be shown "
                    "with --accept-loss",
                    state.operation.empty() ? std::string()
                                            : ": kubectl hsm operation wait " + state.operation)};
  }
  return {Severity::kCritical, state.target, "PromotionUnfinished",
          fmt::format("the promotion of {} was cut short; nobody can write", state.target),
          fmt::format("kubectl hsm failover --to {}{}", state.target,
                      state.older_record ? " --accept-loss" : "")};
}

void ManagerFindings(const cluster::HSMDevice& device, const ClusterState& state,
                     base::WallTime now, std::vector<Finding>& findings) {
  const MemberView* primary = state.Holder();
  const bool no_grant = primary != nullptr && primary->Healthy() && !state.TakesWrites();
  if (state.managers == Managers::kMissing) {
    // Also while a command has given the Primary a grant: others cannot write by that.
    findings.push_back({Severity::kCritical, device.metadata.name, "NoManager",
                        fmt::format("no manager leads any more: {}nothing is promoted by itself",
                                    no_grant ? "the Primary's grant has run out, so it takes "
                                               "writes only of a command that gives it one, and "
                                             : ""),
                        "start the managers again: kubectl hsm manager"});
  } else if (no_grant) {
    findings.push_back({Severity::kCritical, primary->node, "NoGrant",
                        "the Primary has no grant, so it takes no writes; managers renew it while "
                        "they reach it and the record of who may write",
                        "see what the managers log (each turn of the one that leads says what it "
                        "does and why), or start them if none runs"});
  }
  const failover::Policy policy = PolicyOf(device);
  const auto held = failover::HeldUntil(state, policy, now);
  if (held && state.managers == Managers::kLead && policy.mode == failover::Mode::kAuto) {
    findings.push_back(
        {Severity::kDegraded, device.metadata.name, "FailoverHeld",
         fmt::format("the last failover was at {}, so nothing is promoted by itself before {} "
                     "(failover.minInterval)",
                     base::FormatTime(*state.last_failover), base::FormatTime(*held)),
         "kubectl hsm ack, when what ended the Primary before is understood"});
  }
}

std::string WayOutOfLoss(const cluster::HSMDevice& device, const ClusterState& state,
                         base::WallTime now) {
  const auto candidates = failover::Candidates(state, failover::Purpose::kFailover);
  if (candidates.empty() || !candidates.front().eligible())
    return "kubectl hsm check --for failover";
  const std::string by_hand = "kubectl hsm failover --to " + candidates.front().node;
  return WhyNotByItself(device, state, now).empty()
             ? fmt::format("wait until the managers promote {}, or begin it now: {}",
                           candidates.front().node, by_hand)
             : by_hand;
}

void PrimaryFindings(const cluster::HSMDevice& device, const ClusterState& state,
                     base::WallTime now, std::vector<Finding>& findings) {
  if (state.promoting) return findings.push_back(PromotionFinding(device, state));
  const MemberView* primary = state.Holder();
  if (primary == nullptr) {
    findings.push_back({Severity::kCritical, state.holder.value_or("-"), "NoPrimary",
                        "there is no Primary on record", "kubectl hsm check --for failover"});
    return;
  }
  if (primary->Healthy()) {
    const std::string why = WhyStrictRefuses(device, state.members.size(), EqualMirrors(state));
    if (!why.empty()) {
      findings.push_back({Severity::kCritical, primary->node, "WritesRefused",
                          why + ", so no write is acknowledged",
                          "bring the mirrors back, then kubectl hsm sync"});
    }
    return;
  }
  findings.push_back({Severity::kCritical, primary->node, "PrimaryUnavailable",
                      "the Primary takes no writes: " + primary->WhyUnhealthy(),
                      WayOutOfLoss(device, state, now)});
}

// Of those who answer, whoever was the Primary of the highest epoch; the first that has seen it if
// nobody was.
std::string LatestPrimary(const ClusterState& state) {
  const MemberView* best = nullptr;
  const auto rank = [](const MemberView& m) {
    return std::pair(m.status->epoch, m.status->primary);
  };
  for (const MemberView& member : state.members) {
    if (member.Healthy() && (best == nullptr || rank(member) > rank(*best))) best = &member;
  }
  return best == nullptr ? "NODE" : best->node;
}

void MemberFindings(const ClusterState& state, const MemberView& member,
                    std::vector<Finding>& findings) {
  const auto add = [&](Severity severity, std::string reason, std::string message,
                       std::string next) {
    findings.push_back(
        {severity, member.node, std::move(reason), std::move(message), std::move(next)});
  };
  if (state.ProvesOlderRecord(member)) {
    add(Severity::kCritical, "EpochRegressed",
        fmt::format("has seen epoch {} generation {}, the record says {} generation {}: was the "
                    "record restored from a backup?",
                    member.told->epoch.ToString(), member.told->generation, state.epoch.ToString(),
                    state.generation),
        fmt::format("kubectl hsm failover --to {} --accept-loss", LatestPrimary(state)));
  }
  if (std::string why = member.WhyUnhealthy(); !why.empty()) {
    const char* reason = member.wiped_by.empty() ? "MemberUnavailable" : "Reinitialising";
    if (!member.holder) add(Severity::kDegraded, reason, why, NextStepFor(member));
    return;
  }
  const mirror::MemberStatus& status = *member.status;
  if (status.damaged > 0) {
    add(member.holder ? Severity::kCritical : Severity::kDegraded, "Damaged",
        fmt::format("{} secrets are damaged on this token", status.damaged), "kubectl hsm sync");
  }
  if (status.quarantined > 0) {
    add(Severity::kDegraded, "Divergence",
        fmt::format("{} versions are in quarantine: nobody else has them", status.quarantined),
        "kubectl hsm divergence list");
  }
  if (status.legacy > 0 && member.holder) {
    add(Severity::kDegraded, "LegacyLayout",
        fmt::format("{} secrets are in the older operator's layout and are not mirrored",
                    status.legacy),
        "kubectl hsm adopt");
  }
  if (state.Unreached().contains(member.node)) {
    add(Severity::kDegraded, "PeerUnreachable",
        fmt::format("the Primary {} does not reach it: it confirms no writes", *state.holder),
        "mend the network between the two, or spec.mirroring.endpoints");
  }
  const MemberView* primary = state.Holder();
  if (!member.holder && primary != nullptr && primary->Healthy() &&
      !EqualToPrimary(state, member)) {
    add(Severity::kDegraded, "NotEqual", "its content differs from the Primary's",
        "kubectl hsm sync");
  }
}

}  // namespace

std::string WhyNotByItself(const cluster::HSMDevice& device, const ClusterState& state,
                           base::WallTime now) {
  if (state.managers != Managers::kLead) return "no manager leads";
  const auto decision = failover::Decide(state, PolicyOf(device), true, now);
  switch (decision.action) {
    case failover::Decision::Action::kFailOver:
      return {};
    case failover::Decision::Action::kWouldFailOver:
      return "failover.mode is Observe";
    case failover::Decision::Action::kNone:
      break;
  }
  return decision.reason;
}

std::vector<Finding> FindingsOf(const cluster::HSMDevice& device, const ClusterState& state,
                                base::WallTime now) {
  std::vector<Finding> findings;
  PrimaryFindings(device, state, now, findings);
  for (const MemberView& member : state.members) MemberFindings(state, member, findings);
  ManagerFindings(device, state, now, findings);
  if (state.overtaken) {
    findings.push_back({Severity::kDegraded, device.metadata.name, "RecordNotReadAgain",
                        "members were told a later record of who may write than could be read: it "
                        "is another by now, or an older one was put back",
                        "ask again; if it stays, see that the API server answers (or the folder "
                        "can be read)"});
  }
  if (state.strangers_in_sync_set > 0) {
    findings.push_back(
        {Severity::kDegraded, device.metadata.name, "StrangerInSyncSet",
         fmt::format("{} of the sync set are no nodes of the device any more, and count in it",
                     state.strangers_in_sync_set),
         "the managers take them out as soon as the Primary can show that the others hold "
         "everything; bring back who does not answer"});
  }
  const int copies = FullCopies(state);
  if (copies == 0) {
    findings.push_back({Severity::kCritical, device.metadata.name, "NoFullCopy",
                        "no reachable member is known to hold everything acknowledged",
                        "bring a member back, then kubectl hsm check --for failover"});
  } else if (copies == 1 && state.members.size() > 1) {
    findings.push_back({Severity::kDegraded, device.metadata.name, "OneFullCopy",
                        "only one reachable member holds everything acknowledged",
                        "bring the others back or kubectl hsm sync"});
  }
  cluster::SortFindings(findings);
  return findings;
}

std::string WayOutOf(const store::LegacyItem& item) {
  if (store::SecretName::Parse(item.name).ok())
    return fmt::format(
        "kubectl hsm put {0} with the right keys, or kubectl hsm delete {0}, takes its place",
        item.name);
  return fmt::format(
      "remove it with the tool that wrote it (data objects of application {}), or leave it: "
      "nothing of kubectl hsm can stand in its place",
      store::kLegacyApplication);
}

namespace {

// With what was added to it.
void SortAdded(cluster::HSMDeviceStatus& status) {
  cluster::SortFindings(status.findings);
  if (status.phase == cluster::DevicePhase::kReady) status.phase = cluster::DevicePhase::kDegraded;
}

}  // namespace

void AddNotAdoptable(const std::string& node, const std::vector<store::LegacyItem>& items,
                     cluster::HSMDeviceStatus& status) {
  std::string names;
  std::string way_out;
  std::size_t count = 0;
  for (const store::LegacyItem& item : items) {
    if (item.reason.empty()) continue;
    if (++count > kNamesShown) continue;
    names +=
        fmt::format("{}{}: {}", count == 1 ? "" : "; ", base::Printable(item.name), item.reason);
    way_out +=
        fmt::format("{}{}: {}", count == 1 ? "" : "; ", base::Printable(item.name), WayOutOf(item));
  }
  if (count == 0) return;
  if (count > kNamesShown) names += "; …";
  status.findings.push_back(
      {Severity::kDegraded, node, "NotAdoptable",
       fmt::format(
           "{} names in the older operator's layout cannot be adopted, are not mirrored and "
           "keep nobody from being promoted: {}",
           count, names),
       way_out});
  SortAdded(status);
}

void AddFailingOver(const std::string& target, cluster::HSMDeviceStatus& status) {
  std::erase_if(status.findings, [](const Finding& finding) {
    return finding.reason == "PrimaryUnavailable" || finding.reason == "NoGrant" ||
           finding.reason == "FailingOver";
  });
  status.findings.push_back(
      {Severity::kCritical, target, "FailingOver", BeingPromoted(target), "wait for it"});
  SortAdded(status);
}

void AddOperationsUnreadable(const std::string& device, const std::string& why,
                             cluster::HSMDeviceStatus& status) {
  status.findings.push_back({Severity::kDegraded, device, "OperationsUnreadable", why,
                             "mend or remove what the message names; until then what it is about "
                             "is not carried out"});
  SortAdded(status);
}

}  // namespace hsmops::manager
