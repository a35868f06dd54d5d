// HostLock: one process on this host uses a token at a time (protocol.md, 2).
#pragma once

#include <string>

#include "libhsmops/base/file.h"
#include "libhsmops/token/token.h"

namespace hsmops::token {

// Takes the lock of the token with this identity, in `folder` (empty: /run/lock, else /tmp), and
// waits for it until `deadline`. kUnavailable names the holder.
base::Result<base::FileLock> LockToken(const Identity& identity, const std::string& folder,
                                       base::Clock& clock, base::TimePoint deadline);

}  // namespace hsmops::token
