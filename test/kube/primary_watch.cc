#include "test/kube/primary_watch.h"

#include <vector>

namespace hsmops::test {
namespace {

constexpr std::chrono::milliseconds kBetween{20};
constexpr long kYes = 200;

}  // namespace

PrimaryWatch::PrimaryWatch(KubeCluster& cluster)
    : cluster_(cluster), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void PrimaryWatch::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Look();
    std::this_thread::sleep_for(kBetween);
  }
}

// They are asked one after the other, and one may have followed another in between: two are two
// only where the first says so again after the second did.
void PrimaryWatch::Look() {
  std::vector<std::string> yes;
  for (const std::string& node : cluster_.nodes()) {
    if (cluster_.PrimaryPage(node) == kYes) yes.push_back(node);
  }
  const bool two = yes.size() > 1 && cluster_.PrimaryPage(yes.front()) == kYes;
  const std::lock_guard lock(mutex_);
  for (const std::string& node : yes) ++looks_[node];
  if (two && two_.empty()) two_ = yes[0] + " and " + yes[1];
}

std::string PrimaryWatch::Two() const {
  const std::lock_guard lock(mutex_);
  return two_;
}

int PrimaryWatch::Looks(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const auto found = looks_.find(node);
  return found == looks_.end() ? 0 : found->second;
}

}  // namespace hsmops::test
