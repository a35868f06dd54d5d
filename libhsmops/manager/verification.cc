#include "libhsmops/manager/verification.h"

#include <mutex>

namespace hsmops::manager {

Verification::~Verification() {
  const std::lock_guard lock(*monitor_);
  while (!asked_.empty()) monitor_->Wait();
}

void Verification::Start(const Pool& pool) {
  for (const std::string& node : pool.nodes()) {
    if (!pool.OnRecord(node)) continue;
    {
      const std::lock_guard lock(*monitor_);
      if (!asked_.insert(node).second) continue;
    }
    const std::shared_ptr<mirror::Member> member = pool.MakeMember(node);
    executor_.Start([this, node, member] { Ask(node, *member); });
  }
}

bool Verification::TakeNews() {
  const std::lock_guard lock(*monitor_);
  return std::exchange(news_, false);
}

// An error says nothing: it is asked again after the next verifyInterval, and its damage, if it has
// any, is found by whoever reads.
void Verification::Ask(const std::string& node, mirror::Member& member) {
  (void)member.Verify();
  const std::lock_guard lock(*monitor_);
  asked_.erase(node);
  news_ = true;
  monitor_->NotifyAll();
}

}  // namespace hsmops::manager
