#include "libhsmops/manager/verification.h"

#include <mutex>

namespace hsmops::manager {

using base::Result;

Verification::~Verification() {
  const std::lock_guard lock(*monitor_);
  while (!asked_.empty()) monitor_->Wait();
}

void Verification::Start(const Pool& pool) {
  {
    const std::lock_guard lock(*monitor_);
    std::erase_if(found_, [&](const auto& entry) {
      return !pool.Has(entry.first) || !pool.OnRecord(entry.first);
    });
  }
  for (const std::string& node : pool.nodes()) {
    if (!pool.OnRecord(node)) continue;
    {
      const std::lock_guard lock(*monitor_);
      if (!asked_.insert(node).second) {
        again_.insert(node);  // what it has read by now is from before
        continue;
      }
    }
    const std::shared_ptr<mirror::Member> member = pool.MakeMember(node);
    executor_.Start([this, node, member] { Ask(node, *member); });
  }
}

bool Verification::TakeNews() {
  const std::lock_guard lock(*monitor_);
  return std::exchange(news_, false);
}

std::optional<Verified> Verification::Whole() {
  const std::lock_guard lock(*monitor_);
  return asked_.empty() ? std::optional(found_) : std::nullopt;
}

// By itself an error says nothing: it is asked again after the next verifyInterval, and its damage,
// if it has any, is found by whoever reads.
void Verification::Ask(const std::string& node, mirror::Member& member) {
  auto report = member.Verify();
  std::unique_lock lock(*monitor_);
  while (again_.erase(node) > 0) {
    lock.unlock();
    report = member.Verify();
    lock.lock();
  }
  found_.insert_or_assign(node, report.ok() ? Result<std::uint64_t>(report->damaged.size())
                                            : Result<std::uint64_t>(report.error()));
  asked_.erase(node);
  news_ = true;
  monitor_->NotifyAll();
}

}  // namespace hsmops::manager
