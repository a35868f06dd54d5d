#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/progress.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;

struct ReinitWords {
  std::string device;
  std::string node;
  bool yes = false;
};

// Not a member of this pool, so it holds nothing that counts; whether it may be wiped is for its
// store to say.
bool HoldsNothing(mirror::Member& member) {
  const auto status = member.Status(false);
  return status.ok() && status->standing != store::Standing::kMember &&
         status->standing != store::Standing::kUnknown;
}

// What a member that is not on record has and the Primary has not. Sync does not ask it, so here a
// person is told before it is wiped.
base::Result<void> TellWhatGoes(Context& context, manager::Pool& pool, const std::string& node) {
  if (HoldsNothing(pool.Applicant(node))) return {};
  const auto all = std::bitset<store::kBuckets>().set();
  HSM_TRY(const store::Inventory source, pool.At(pool.holder()).ReadInventory(all));
  HSM_TRY(store::Inventory held, pool.Applicant(node).ReadInventory(all).Within(node));
  std::vector<mirror::MemberInventory> asked;
  asked.push_back({node, std::move(held)});
  const mirror::SyncPlan plan =
      mirror::Plan(source, asked, pool.epoch(), false, manager::CutsOf(pool));
  for (const mirror::Step& step : plan.steps) {
    if (step.kind == mirror::Step::Kind::kCopy) continue;
    context.Warn(fmt::format("{} holds {} version {}, which the Primary does not: it goes", node,
                             base::Printable(step.name), step.version.ToString()));
  }
  return {};
}

// Nothing is wiped unless the Primary has all of it: what the member has beyond is restored or set
// aside by sync first. Also who else is equal to the Primary now, which is what S may be meanwhile.
base::Result<std::vector<std::string>> MayWipe(Context& context, manager::Pool& pool,
                                               const std::string& node) {
  const std::string primary = pool.holder();
  HSM_RETURN_IF_ERROR(manager::CheckEpoch(pool, pool.Observe(false)));
  const auto status = pool.At(primary).Status(true);
  if (!status.ok() || status->standing != store::Standing::kMember || !status->digest) {
    return Error(
        ErrorCode::kReadOnly,
        fmt::format("Primary {} cannot be read, so {} could not be filled again", primary, node));
  }
  if (status->damaged > 0) {
    return Error(ErrorCode::kReadOnly,
                 fmt::format("{} secrets are damaged on Primary {} and {} may have them whole: run "
                             "kubectl hsm sync first",
                             status->damaged, primary, node));
  }
  HSM_TRY(const manager::Comparison comparison, manager::Compare(pool, primary, pool.Mirrors()));
  for (const mirror::MemberInventory& mirror : comparison.mirrors) {
    if (mirror.node != node) continue;
    if (!pool.OnRecord(node)) {
      HSM_RETURN_IF_ERROR(TellWhatGoes(context, pool, node));
      continue;
    }
    if (!mirror.inventory.ok()) {
      if (HoldsNothing(pool.At(node))) continue;
      return Error(ErrorCode::kReadOnly,
                   fmt::format("{} cannot be read, so nobody knows what would be wiped: {}", node,
                               mirror.inventory.error().message()));
    }
    const mirror::SyncPlan plan =
        mirror::Plan(comparison.source, {mirror}, pool.epoch(), false, manager::CutsOf(pool));
    for (const mirror::Step& step : plan.steps) {
      if (step.kind == mirror::Step::Kind::kCopy) continue;
      return Error(ErrorCode::kReadOnly,
                   fmt::format("{} holds what the Primary does not: {}: {}; run kubectl hsm sync "
                               "first, or kubectl hsm divergence list",
                               node, base::Printable(step.name), step.reason));
    }
  }
  std::vector<std::string> equal = comparison.equal;
  std::erase(equal, node);
  return equal;
}

// After the wipe "failed, state unchanged" would not be true any more.
Error Unfilled(const std::string& node, const Error& error, const std::string& next) {
  return {ErrorCode::kInDoubt, fmt::format("{} may be wiped and is not filled again: {}; {}", node,
                                           error.message(), next)};
}

int Run(const ReinitWords& words, Context& context) {
  if (words.node.empty())
    return context.Fail(Error(ErrorCode::kInvalid, "name the member with --node NODE"));
  auto cluster = context.OpenCluster("reinit", words.device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  if (!pool.Has(words.node))
    return context.Fail(
        Error(ErrorCode::kNotFound,
              fmt::format("node {} is not a member of device {}", base::Printable(words.node),
                          pool.device().metadata.name)));
  if (pool.holder() == words.node) {
    return context.Fail(Error(
        ErrorCode::kReadOnly,
        fmt::format("{} is the Primary: reinit would wipe the source; promote another member first",
                    words.node)));
  }
  if (pool.holder().empty())
    return context.Fail(
        Error(ErrorCode::kReadOnly,
              "a promotion is unfinished; finish it first with promote or failover"));
  const auto others = MayWipe(context, pool, words.node);
  if (!others.ok()) return context.Fail(others.error());
  if (auto sure = context.Confirm(fmt::format("Wipe every record of this pool on {} and copy all "
                                              "from {}? What is in quarantine stays.",
                                              words.node, pool.holder()),
                                  words.yes);
      !sure.ok()) {
    return context.Fail(sure.error());
  }
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kReinit;
  spec.target_node = words.node;
  auto log = manager::OperationLog::Begin(pool, spec);
  if (!log.ok()) return context.Fail(log.error());
  // Out of the sync set before it is wiped: from here on nobody counts on it.
  if (auto left = manager::ChangeSyncSet(pool, *others); !left.ok())
    return FailOperation(context, *log, left.error());
  log->Step("wipe", words.node);
  // Half a wipe leaves no member that a sync would fill.
  const std::string again = "run kubectl hsm reinit --node " + words.node + " again";
  if (auto wiped = pool.Applicant(words.node).Initialize(pool.term(), true); !wiped.ok()) {
    return FailOperation(context, *log,
                         wiped.Is(ErrorCode::kReadOnly)
                             ? wiped.error().Within(words.node)
                             : Unfilled(words.node, wiped.error(), again));
  }
  if (auto admitted = pool.Admit(words.node); !admitted.ok())
    return FailOperation(context, *log, Unfilled(words.node, admitted.error(), again));
  const std::string sync_or_again = "run kubectl hsm sync, or reinit again";
  log->Step("copy", "from " + pool.holder());
  manager::SyncOptions options;
  options.only = {words.node};
  base::Result<manager::SyncReport> report = Error(ErrorCode::kInternal, "not run");
  {
    ProgressBar bar(context, "copying");
    report = manager::Sync(pool, options, bar.Callback());
  }
  if (!report.ok())
    return FailOperation(context, *log, Unfilled(words.node, report.error(), sync_or_again));
  if (!report->AllEqual()) {
    return FailOperation(
        context, *log,
        Unfilled(words.node, Error(ErrorCode::kUnavailable, "not equal yet"), sync_or_again));
  }
  return FinishOperation(context, *log, cluster::OperationPhase::kSucceeded,
                         fmt::format("{} is a member again: {} secrets copied, equal to {}",
                                     words.node, report->applied.copied, report->primary),
                         kDone);
}

}  // namespace

Verb ReinitVerb() {
  return {"reinit",
          "Wipe a mirror's records and copy everything from the Primary",
          {},
          {"kubectl hsm reinit --node worker-3"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<ReinitWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Option("node", "NODE", "the member", options->node);
            words.Flag("yes", "do not ask", options->yes);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
