#include <memory>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/store/secret.h"

namespace hsmops::cli {
namespace {

struct SyncWords {
  std::string device;
  std::string secret;
  bool full = false;
  bool dry_run = false;
};

int Run(const SyncWords& words, Context& context) {
  if (!words.secret.empty()) {
    if (auto name = store::SecretName::Parse(words.secret); !name.ok())
      return context.Fail(name.error());
  }
  cluster::HSMOperationSpec spec;
  spec.type = words.full ? cluster::OperationType::kVerify : cluster::OperationType::kSync;
  spec.secret = words.secret;
  spec.full = words.full;
  spec.dry_run = words.dry_run;
  if (spec.dry_run) context.NoteOnlyLooks();
  return PrintEnd(context, Act(context, "sync", words.device, spec));
}

}  // namespace

Verb SyncVerb() {
  return {"sync",
          "Make the mirrors equal to the Primary now, and prove it",
          {},
          {"kubectl hsm sync", "kubectl hsm sync --full", "kubectl hsm sync --dry-run"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<SyncWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Option("secret", "NAME", "only this secret", options->secret);
            words.Flag("full", "re-read and re-hash every value on every member first",
                       options->full);
            words.Flag("dry-run", "say what would be done", options->dry_run);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
