#include "cli/commands/operation_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

int FailOperation(Context& context, manager::OperationLog& log, const base::Error& error) {
  const cluster::HSMOperation& operation = log.Finish(
      cluster::OperationPhase::kFailed, std::string(base::Name(error.code())), error.message());
  if (error.code() != base::ErrorCode::kInDoubt) return context.Fail(error);
  context.err() << fmt::format("in doubt: {}\n  operation {}\n",
                               context.WithCluster(base::Printable(error.message())),
                               operation.metadata.name);
  return ExitCodeFor(error.code());
}

int FinishOperation(Context& context, manager::OperationLog& log, cluster::OperationPhase phase,
                    const std::string& sentence, int code) {
  const cluster::HSMOperation& operation = log.Finish(
      phase, phase == cluster::OperationPhase::kSucceeded ? "Done" : "Partial", sentence);
  const int printed = Print(context, operation.ToJson(),
                            [&](bool) { context.out() << base::Printable(sentence) << "\n"; });
  return printed != kDone ? printed : code;
}

int PrintDryRun(Context& context, const manager::Pool& pool, cluster::HSMOperationSpec spec,
                const std::vector<std::string>& steps, const std::string& sentence, int code) {
  context.NoteDryRun();
  cluster::HSMOperation operation;
  operation.metadata.ns = pool.device().metadata.ns;
  operation.spec = std::move(spec);
  operation.spec.device_ref = {pool.device().metadata.name, ""};
  operation.spec.dry_run = true;
  operation.status.result = "DryRun";
  operation.status.message = sentence;
  for (const std::string& step : steps)
    operation.status.steps.push_back({"plan", cluster::StepState::kPending, {}, {}, step});
  const int printed = Print(context, operation.ToJson(), [&](bool) {
    for (const std::string& step : steps) context.out() << base::Printable(step) << "\n";
    context.out() << base::Printable(sentence) << "\n";
  });
  return printed != kDone ? printed : code;
}

}  // namespace hsmops::cli
