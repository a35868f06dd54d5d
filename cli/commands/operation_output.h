// How verbs that act print what they did: the HSMOperation for machines, a sentence for people.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "libhsmops/cluster/resources.h"
#include "libhsmops/manager/operation_log.h"

namespace hsmops::cli {

// Ends the operation as Failed with this error and prints it; the exit code of its kind.
int FailOperation(Context& context, manager::OperationLog& log, const base::Error& error);

// Ends the operation and prints `sentence`, or the object with -o. `code` if printing went well.
int FinishOperation(Context& context, manager::OperationLog& log, cluster::OperationPhase phase,
                    const std::string& sentence, int code);

// Prints an operation that nobody has begun: a line for each step and `sentence`, or with -o the
// object, with spec.dryRun, result "DryRun" and Pending steps; it is stored nowhere. `code` if
// printing went well.
int PrintDryRun(Context& context, const manager::Pool& pool, cluster::HSMOperationSpec spec,
                const std::vector<std::string>& steps, const std::string& sentence, int code);

}  // namespace hsmops::cli
