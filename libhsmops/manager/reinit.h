// Reinit: a mirror's records are wiped and copied again from the Primary.
//
// The same for the manager that leads and for a command where none does. Cut short at any place it
// may be begun again: half a wipe is wiped, half a copy copied.
#pragma once

#include <string>

#include "libhsmops/manager/promotion.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::manager {

struct ReinitOptions {
  std::string node;
  bool dry_run = false;  // only whether it may be, and what would go
};

// What came of it, or would, as a sentence. Nothing is wiped unless the Primary has all of it; what
// a node that is not on record has beyond is noted as "warning" first. kInvalid, kNotFound: no such
// member; kReadOnly: refused by a precondition; kUnavailable: somebody who must be asked does not
// answer; nothing was wiped in all of these. kInDoubt: it may be wiped and is not whole again, with
// the next step.
base::Result<std::string> Reinit(Pool& pool, const ReinitOptions& options, const StepNote& note,
                                 const mirror::Progress& progress);

}  // namespace hsmops::manager
