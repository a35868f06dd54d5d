// Turned: what one turn of whoever leads a device came to; a value.
#pragma once

#include <chrono>
#include <string>

#include "libhsmops/base/clock.h"

namespace hsmops::manager {

struct Turned {
  std::string reason;                           // one sentence, always
  bool acted = false;                           // so another turn is due at once
  base::Duration next = std::chrono::hours(1);  // another is due then at the latest
  bool failed = false;                          // what it says did not work
};

}  // namespace hsmops::manager
