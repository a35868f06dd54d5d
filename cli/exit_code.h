// Exit codes: what a script may rely on (docs/cli.md).
#pragma once

#include "libhsmops/base/error.h"

namespace hsmops::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;  // state unchanged
inline constexpr int kUsage = 2;
inline constexpr int kConditionNotMet = 3;  // health, check, diff
inline constexpr int kNotFound = 4;
inline constexpr int kRefused = 5;   // by a precondition, reasons listed
inline constexpr int kAccepted = 6;  // still running, or in doubt: the id is printed
inline constexpr int kPartial = 7;   // list printed
inline constexpr int kInterrupted = 130;
inline constexpr int kNobodyReads = 141;  // standard output is a pipe that was closed, as SIGPIPE

int ExitCodeFor(base::ErrorCode code);

}  // namespace hsmops::cli
