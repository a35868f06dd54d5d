#include "libhsmops/base/error.h"

namespace hsmops::base {

std::string_view Name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "NotFound";
    case ErrorCode::kConflict:
      return "Conflict";
    case ErrorCode::kUnavailable:
      return "Unavailable";
    case ErrorCode::kAuthFailed:
      return "AuthFailed";
    case ErrorCode::kReadOnly:
      return "ReadOnly";
    case ErrorCode::kStaleEpoch:
      return "StaleEpoch";
    case ErrorCode::kCorrupt:
      return "Corrupt";
    case ErrorCode::kInvalid:
      return "Invalid";
    case ErrorCode::kLimit:
      return "Limit";
    case ErrorCode::kInDoubt:
      return "InDoubt";
    case ErrorCode::kInternal:
      return "Internal";
  }
  return "Internal";
}

Error Error::Within(std::string_view context) const {
  std::string message(context);
  message += ": ";
  message += message_;
  return {code_, std::move(message)};
}

}  // namespace hsmops::base
