// FollowSpec: D as the device's spec has it now, into R.
#pragma once

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Grants of the D before may still be held; who promotes waits for the longest of them all.
base::Result<void> FollowSpec(Pool& pool);

// How long a grant of D may be good for, as another clock sees it: D(1+rho)/(1-rho) and a margin
// (protocol.md, 3, P4).
base::Duration LongestGrant(base::Duration grant_duration);

// Takes the D before off R when no grant of it can be held any more, so that a promotion waits for
// the D of now alone. By this process's own clock, from when it first saw the change on R: a wall
// clock may jump. Not thread-safe.
class OldGrants {
 public:
  base::Result<void> Forget(Pool& pool);

 private:
  std::optional<base::WallTime> change_;  // as R dates it, to tell one change from another
  base::TimePoint seen_{};
};

}  // namespace hsmops::manager
