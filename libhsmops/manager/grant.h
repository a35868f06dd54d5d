// Grant: the Primary's permission to write for a while (protocol.md, 3).
#pragma once

#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Renews R by a compare-and-swap that changes nothing but the time, and hands the Primary its
// grant: its nonce first, then the CAS, then the grant. kReadOnly: it is not the Primary.
base::Result<void> GrantTo(Pool& pool, const std::string& node);

// Before anything is written to the Primary by another way than its gate: a promotion that ended
// at P7 has promised a content, which the first grant compares. ok without such a promise.
base::Result<void> OpenIfPromised(Pool& pool);

}  // namespace hsmops::manager
