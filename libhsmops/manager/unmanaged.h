// What stands in the status of a device that its leader cannot look after: its spec is refused, its
// record cannot be read, or nothing at all could be tried for a while.
#pragma once

#include <optional>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

class Unmanaged {
 public:
  // `device` of namespace `ns` could not be opened, for `why`. Writes the critical finding
  // NotManaged before all others, phase Degraded, and Ready, PrimaryAvailable, Mirrored and
  // FailoverReady Unknown, where they are not there yet; all else in the status stays, as what was
  // seen last. What may pass by itself (kUnavailable, kConflict, kInDoubt) is written once it has
  // lasted. The status is not read as a type: that the device cannot be may be the reason. Whether
  // it has lasted, or will.
  bool Show(World& world, const std::string& ns, const std::string& device, const base::Error& why);
  // It could be.
  void Forget() { since_.reset(); }

 private:
  std::optional<base::TimePoint> since_;
};

}  // namespace hsmops::manager
