#include <memory>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"

namespace hsmops::cli {
namespace {

struct AdoptWords {
  std::string device;
  bool dry_run = false;
};

int Run(const AdoptWords& words, Context& context) {
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kAdopt;
  spec.dry_run = words.dry_run;
  if (words.dry_run) context.NoteOnlyLooks();
  return PrintEnd(context, Act(context, "adopt", words.device, spec));
}

}  // namespace

Verb AdoptVerb() {
  return {"adopt",
          "Take over the secrets of a token written in the older operator's layout, in place",
          {},
          {"kubectl hsm adopt --dry-run", "kubectl hsm adopt"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<AdoptWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Flag("dry-run", "say what would be taken", options->dry_run);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
