// Adoption: secrets in the older operator's layout become ours, in place.
//
// The same for the manager that leads and for a command where none does. Cut short it may be begun
// again: what was taken is not in the older layout any more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libhsmops/manager/promotion.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::manager {

struct AdoptReport {
  std::uint64_t taken = 0;             // or would be
  std::vector<std::string> foreseen;   // dry run: what would be taken, as sentences
  std::vector<std::string> not_taken;  // "NAME: why; what can be done", names fit for a terminal
  std::vector<std::string> in_doubt;   // of these a write may have taken effect
  bool Complete() const { return not_taken.empty() && in_doubt.empty(); }
  std::string Sentence(bool dry_run) const;
};

// kReadOnly: no Primary; kUnavailable: the Primary or a mirror could not be asked. Nothing was
// taken in both.
base::Result<AdoptReport> Adopt(Pool& pool, bool dry_run, const mirror::Progress& progress);

}  // namespace hsmops::manager
