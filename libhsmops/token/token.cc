#include "libhsmops/token/token.h"

#include <fmt/format.h>

namespace hsmops::token {

std::string_view Name(PinState state) {
  switch (state) {
    case PinState::kUnknown:
      return "unknown";
    case PinState::kAccepted:
      return "ok";
    case PinState::kCountLow:
      return "count-low";
    case PinState::kFinalTry:
      return "final-try";
    case PinState::kLocked:
      return "locked";
    case PinState::kRejected:
      return "rejected";
    case PinState::kNotSet:
      return "not-set";
  }
  return "unknown";
}

base::Result<void> CheckView(ObjectHandle object, std::uint64_t view) {
  if (object.view == view) return {};
  return base::Error(
      base::ErrorCode::kUnavailable,
      fmt::format("an object handle of view {} is used in view {}", object.view, view));
}

base::Result<base::SecretBytes> Token::ReadValue(ObjectHandle object) {
  HSM_TRY(StoredObject stored, Read(object));
  return std::move(stored.value);
}

}  // namespace hsmops::token
