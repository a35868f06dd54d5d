#include <fmt/format.h>

#include <memory>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

struct ReinitWords {
  std::string device;
  std::string node;
  bool dry_run = false;
  bool yes = false;
};

// What would be wiped, or why not, before anybody is asked; 0: go on.
int AskFirst(const ReinitWords& words, Context& context, cluster::HSMOperationSpec spec) {
  spec.dry_run = true;
  const Followed look = Act(context, "reinit", words.device, spec);
  const auto* operation = std::get_if<cluster::HSMOperation>(&look);
  if (operation == nullptr || CodeOf(*operation) != kDone) return PrintEnd(context, look);
  const auto sure = context.Confirm(
      fmt::format("This {}. Go on?", base::Printable(operation->status.message)), false);
  return sure.ok() ? kDone : context.Fail(sure.error());
}

// Asked for again, because a command before it was not waited for, it would be wiped once more.
base::Result<void> CheckNotAskedFor(const ReinitWords& words, Context& context) {
  if (!context.OnKubernetes() || words.dry_run) return {};
  HSM_TRY(const auto resources, context.OpenResources());
  HSM_TRY(const std::string device, context.DeviceName(*resources, words.device));
  HSM_TRY(const auto all, cluster::LoadAll<cluster::HSMOperation>(*resources, context.ns()));
  for (const cluster::HSMOperation& one : all.items) {
    const cluster::HSMOperationSpec& spec = one.spec;
    if (one.Finished() || spec.type != cluster::OperationType::kReinit || spec.dry_run) continue;
    if (spec.device_ref.name != device || spec.target_node != words.node) continue;
    return base::Error(base::ErrorCode::kReadOnly,
                       fmt::format("{0} is asked to wipe {1} already: kubectl hsm operation wait "
                                   "{0} says how it ends",
                                   one.metadata.name, base::Printable(words.node)));
  }
  return {};
}

int Run(const ReinitWords& words, Context& context) {
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kReinit;
  spec.target_node = words.node;
  if (words.node.empty())
    return context.Fail({base::ErrorCode::kInvalid, "name the member with --node NODE"});
  spec.dry_run = words.dry_run;
  if (spec.dry_run) context.NoteOnlyLooks();
  if (auto fresh = CheckNotAskedFor(words, context); !fresh.ok())
    return context.Fail(fresh.error());
  if (!words.yes && !words.dry_run) {
    if (const int code = AskFirst(words, context, spec); code != kDone) return code;
  }
  return PrintEnd(context, Act(context, "reinit", words.device, spec));
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
            words.Flag("dry-run", "say what would be wiped", options->dry_run);
            words.Flag("yes", "do not ask", options->yes);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
