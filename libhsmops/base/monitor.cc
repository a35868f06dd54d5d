#include "libhsmops/base/monitor.h"

namespace hsmops::base {

void ThreadMonitor::Wait() {
  std::unique_lock lock(mutex_, std::adopt_lock);
  changed_.wait(lock);
  lock.release();  // the caller holds it again
}

}  // namespace hsmops::base
