// What every process of ours does first, so that no secret of it reaches a core file.
#pragma once

namespace hsmops::base {

// No core file (RLIMIT_CORE 0), not dumpable (prctl), SIGPIPE ignored.
void Harden();

}  // namespace hsmops::base
