#include "libhsmops/manager/fronts.h"

namespace hsmops::manager {
namespace {

constexpr std::size_t kMaxIdle = 128;  // of one device

}  // namespace

Fronts::Taken Fronts::Take(const std::string& ns, const std::string& device) {
  Taken::Key key{ns, device};
  const std::lock_guard lock(mutex_);
  const auto found = idle_.find(key);
  if (found == idle_.end() || found->second.empty())
    return {*this, std::move(key), std::make_unique<Front>(world_, ns, device)};
  std::unique_ptr<Front> front = std::move(found->second.back());
  found->second.pop_back();
  return {*this, std::move(key), std::move(front)};
}

void Fronts::Give(Taken::Key key, std::unique_ptr<Front> front) {
  // Of a device that there is not anybody may ask, under any name.
  if (!front->IsOpen()) return;
  const std::lock_guard lock(mutex_);
  auto& idle = idle_[std::move(key)];
  if (idle.size() < kMaxIdle) idle.push_back(std::move(front));
}

}  // namespace hsmops::manager
