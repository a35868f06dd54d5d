#include "cli/commands/operation_output.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"

namespace hsmops::cli {

int FailOperation(Context& context, manager::OperationLog& log, const base::Error& error) {
  log.Finish(cluster::OperationPhase::kFailed, std::string(base::Name(error.code())),
             error.message());
  return context.Fail(error);
}

int FinishOperation(Context& context, manager::OperationLog& log, cluster::OperationPhase phase,
                    const std::string& sentence, int code) {
  const cluster::HSMOperation& operation = log.Finish(
      phase, phase == cluster::OperationPhase::kSucceeded ? "Done" : "Partial", sentence);
  const int printed = Print(context, operation.ToJson(),
                            [&](bool) { context.out() << base::Printable(sentence) << "\n"; });
  return printed != kDone ? printed : code;
}

}  // namespace hsmops::cli
