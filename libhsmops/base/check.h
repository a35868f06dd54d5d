// HSM_CHECK: a mistake of the caller, on in every build. The outside world's mistakes are Results.
#pragma once

namespace hsmops::base {

// Prints the place and the condition to stderr and aborts. Core files are off in every face.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace hsmops::base

#define HSM_CHECK(condition) \
  ((condition) ? void(0) : ::hsmops::base::CheckFailed(#condition, __FILE__, __LINE__))
