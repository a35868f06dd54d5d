// Task: one HSMOperation that somebody asked for, carried out by the manager that leads.
#pragma once

#include <set>
#include <string>

#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

// The steps of a dry run that say what would be done.
inline constexpr const char* kPlanStep = "plan";
// And its result.
inline constexpr const char* kDryRun = "DryRun";

// Carries it out to its end, which is in the operation's status then: Succeeded, Failed (nothing
// was changed, unless the result is InDoubt) or Partial (see its message and the steps skipped).
// What was begun and is not finished stays Running for the next turn. The sentence of what came of
// it. `failing_since`: of the Primary, as PromotionOptions has it.
std::string Carry(Pool& pool, OperationLog& log, std::optional<base::TimePoint> failing_since = {});

// It wipes or copies, thousands of secrets perhaps: what leads a device has it done beside its
// turns.
bool TakesLong(const cluster::HSMOperationSpec& spec);

// It reads every value of every member again, which takes minutes: that is done first, and the rest
// is carried out with what was found.
bool ReadsAllAgain(const cluster::HSMOperationSpec& spec);
std::string CarryVerified(Pool& pool, OperationLog& log, const Verified& verified);

// The promotion that is on record as running, to its end: by this operation if it is the one that
// began it. `tried`: targets with which it came past P2 and not to its end; another is taken where
// one will do, so that one that cannot take what it lacks does not keep everybody from writing.
base::Result<std::string> FinishPromotion(Pool& pool, OperationLog* log,
                                          const std::set<std::string>& tried = {});

}  // namespace hsmops::manager
