#include "libhsmops/base/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>

namespace hsmops::base {

void Harden() {
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);  // lowering never needs a right
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace hsmops::base
