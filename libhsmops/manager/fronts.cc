#include "libhsmops/manager/fronts.h"

namespace hsmops::manager {

Fronts::Taken Fronts::Take(const std::string& ns, const std::string& device) {
  Taken::Key key{ns, device};
  const std::lock_guard lock(mutex_);
  auto& idle = idle_[key];
  if (idle.empty()) return {*this, std::move(key), std::make_unique<Front>(world_, ns, device)};
  std::unique_ptr<Front> front = std::move(idle.back());
  idle.pop_back();
  return {*this, std::move(key), std::move(front)};
}

void Fronts::Give(Taken::Key key, std::unique_ptr<Front> front) {
  const std::lock_guard lock(mutex_);
  idle_[std::move(key)].push_back(std::move(front));
}

}  // namespace hsmops::manager
