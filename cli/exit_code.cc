#include "cli/exit_code.h"

namespace hsmops::cli {

int ExitCodeFor(base::ErrorCode code) {
  using base::ErrorCode;
  switch (code) {
    case ErrorCode::kInvalid:
      return kUsage;
    case ErrorCode::kNotFound:
      return kNotFound;
    case ErrorCode::kConflict:
    case ErrorCode::kReadOnly:
    case ErrorCode::kStaleEpoch:
    case ErrorCode::kLimit:
      return kRefused;
    case ErrorCode::kInDoubt:
      return kAccepted;
    case ErrorCode::kUnavailable:
    case ErrorCode::kAuthFailed:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
      return kFailed;
  }
  return kFailed;
}

}  // namespace hsmops::cli
