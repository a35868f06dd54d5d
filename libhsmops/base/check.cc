#include "libhsmops/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hsmops::base {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "kubectl-hsm: internal error: %s does not hold (%s:%d)\n", condition, file,
               line);
  std::abort();
}

}  // namespace hsmops::base
