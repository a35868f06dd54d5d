#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/failover/decide.h"

namespace hsmops::cli {
namespace {

struct PromoteWords {
  std::string device;
  std::string to;
  std::string winner;
  std::string expected_primary;
  std::string at;
  std::string reason;
  bool dry_run = false;
  bool accept_loss = false;
  bool yes = false;
};

// nullopt: at once.
base::Result<std::optional<base::WallTime>> TimeOf(Context& context, const std::string& at) {
  if (at.empty()) return std::optional<base::WallTime>();
  HSM_TRY(const base::WallTime when, base::ParseTime(at).Within("--at"));
  if (when <= context.clock().Wall())
    return base::Error(base::ErrorCode::kInvalid,
                       fmt::format("--at {} is in the past", base::Printable(at)));
  return std::optional(when);
}

// With nobody to hand it to.
void WaitUntil(Context& context, base::WallTime when) {
  const auto left = when - context.clock().Wall();
  context.err() << fmt::format("waiting {} until {}\n", base::FormatDuration(left),
                               base::FormatTime(when));
  context.clock().SleepFor(left);
}

// Before the wait: a node that does not exist is not told so at three in the morning either.
base::Result<void> CheckTarget(Context& context, cluster::ResourceStore& resources,
                               const std::string& named, const std::string& target) {
  if (target.empty()) return {};
  HSM_TRY(const std::string name, context.DeviceName(resources, named));
  HSM_TRY(const auto device, cluster::Load<cluster::HSMDevice>(resources, context.ns(), name));
  const std::vector<std::string> nodes = device.MemberNodes();
  if (std::ranges::find(nodes, target) != nodes.end()) return {};
  return device.NoSuchMember(target);
}

int Run(const PromoteWords& words, failover::Purpose purpose, Context& context) {
  const bool planned = purpose == failover::Purpose::kPromote;
  if (!words.to.empty() && !words.winner.empty() && words.to != words.winner) {
    return context.Fail({base::ErrorCode::kInvalid,
                         fmt::format("--to {} and --winner {} name two nodes; give one",
                                     base::Printable(words.to), base::Printable(words.winner))});
  }
  const std::string target = words.to.empty() ? words.winner : words.to;
  if (planned && words.to.empty())
    return context.Fail(
        {base::ErrorCode::kInvalid,
         "name the node to promote with --to NODE; kubectl hsm check --for promote lists them"});
  // Before the wait: a command line that names no cluster is not told so at three in the morning.
  const auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  const auto when = TimeOf(context, words.at);
  if (!when.ok()) return context.Fail(when.error());
  cluster::HSMOperationSpec spec;
  spec.type = planned ? cluster::OperationType::kPromote : cluster::OperationType::kFailover;
  spec.target_node = target;
  spec.expected_primary = words.expected_primary;
  spec.accept_loss = words.accept_loss;
  spec.reason = words.reason;
  spec.dry_run = words.dry_run;
  if (words.accept_loss && !words.dry_run) {
    if (auto sure = context.Confirm(
            fmt::format("Acknowledged writes{} that {} does not hold and cannot get will be given "
                        "up.",
                        words.device.empty() ? "" : " of " + base::Printable(words.device),
                        target.empty() ? "the member that is promoted" : base::Printable(target)),
            words.yes);
        !sure.ok())
      return context.Fail(sure.error());
  }
  const std::string verb = planned ? "promote" : "failover";
  if (*when && !words.dry_run) {
    if (auto there = CheckTarget(context, **resources, words.device, target); !there.ok())
      return context.Fail(there.error());
    spec.not_before = *when;
    if (const auto followed = Follow(context, words.device, spec))
      return PrintEnd(context, *followed);
    WaitUntil(context, **when);
    spec.not_before.reset();
  }
  if (spec.dry_run) context.NoteOnlyLooks();
  return PrintEnd(context, Act(context, verb, words.device, spec));
}

Runner Declare(Words& words, failover::Purpose purpose) {
  auto options = std::make_shared<PromoteWords>();
  const bool planned = purpose == failover::Purpose::kPromote;
  words.Argument("DEVICE", "the device; by default the only one", options->device, false);
  words.Option(
      "to", "NODE",
      planned ? "the member to promote" : "the member to promote; by default the best candidate",
      options->to);
  words.Option("expected-primary", "NODE", "refuse unless this is the Primary now",
               options->expected_primary);
  words.Option("reason", "TEXT", "for the history", options->reason);
  words.Flag("dry-run", "say what would be done", options->dry_run);
  words.Flag("yes", "do not ask", options->yes);
  if (planned) {
    words.Option("at", "RFC3339",
                 "not before then: handed to the manager that leads, or waited for without one",
                 options->at);
  } else {
    words.Flag(
        "accept-loss",
        "give up acknowledged writes that cannot be shown to be on another member; goes ahead "
        "with a healthy Primary, too",
        options->accept_loss);
    words.Option("winner", "NODE", "the same as --to", options->winner);
  }
  return [options, purpose](Context& context) { return Run(*options, purpose, context); };
}

}  // namespace

Verb PromoteVerb() {
  return {"promote",
          "Planned switchover, without loss: quiesce, prove equal, raise the epoch, open",
          {"switchover"},
          {"kubectl hsm promote --to worker-2",
           "kubectl hsm promote --to worker-2 --expected-primary worker-1 --reason maintenance"},
          true,
          [](Words& words) { return Declare(words, failover::Purpose::kPromote); }};
}

Verb FailoverVerb() {
  return {"failover", "Unplanned: promote a mirror although the Primary is gone",
          {},         {"kubectl hsm failover", "kubectl hsm failover --to worker-3 --accept-loss"},
          true,       [](Words& words) { return Declare(words, failover::Purpose::kFailover); }};
}

}  // namespace hsmops::cli
