// GrantRelay: keeps the Primary's grant fresh (protocol.md, 3, Renewal); each replica has one.
//
// The leader renews in time; the others only when they see that R has not been renewed for a third
// of D, so that a Primary outlives its leader. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

class GrantRelay {
 public:
  // One look at R, and a grant if one is due. True: it was given. kReadOnly: EpochRegressed, the
  // Primary was told of a later term than R's; nothing was granted. Other errors: it could not be
  // done now.
  base::Result<bool> Relay(Pool& pool, bool leader);

 private:
  std::string version_;        // of R when it was seen to change,
  base::TimePoint changed_{};  // which was then
};

}  // namespace hsmops::manager
