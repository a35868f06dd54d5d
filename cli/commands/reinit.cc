#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/progress.h"
#include "libhsmops/base/printable.h"
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
  // Nothing is wiped unless there is somebody to fill it again from.
  const auto primary = pool.At(pool.holder()).Status(true);
  if (!primary.ok() || primary->standing != store::Standing::kMember || !primary->digest) {
    return context.Fail(
        Error(ErrorCode::kReadOnly,
              fmt::format("Primary {} cannot be read, so {} could not be filled again",
                          pool.holder(), words.node)));
  }
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
  std::vector<std::string> others;
  for (const std::string& uid : pool.arbiter().sync_set) {
    if (pool.NodeOf(uid) != words.node) others.push_back(pool.NodeOf(uid));
  }
  // Out of the sync set before it is wiped: from here on nobody counts on it.
  if (auto left = manager::ChangeSyncSet(pool, others); !left.ok())
    return FailOperation(context, *log, left.error());
  log->Step("wipe", words.node);
  if (auto wiped = pool.At(words.node).Initialize(pool.epoch(), true); !wiped.ok())
    return FailOperation(context, *log, wiped.error());
  log->Step("copy", "from " + pool.holder());
  manager::SyncOptions options;
  options.only = {words.node};
  base::Result<manager::SyncReport> report = Error(ErrorCode::kInternal, "not run");
  {
    ProgressBar bar(context, "copying");
    report = manager::Sync(pool, options, bar.Callback());
  }
  if (!report.ok()) return FailOperation(context, *log, report.error());
  if (!report->AllEqual())
    return FailOperation(
        context, *log,
        Error(ErrorCode::kUnavailable,
              words.node + " was wiped and is not equal yet; run kubectl hsm sync"));
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
