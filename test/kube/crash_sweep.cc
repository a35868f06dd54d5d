#include "test/kube/crash_sweep.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <future>
#include <thread>

namespace hsmops::test {

void CrashSweep::At(const std::string& place, int most) {
  CAPTURE(place);
  points_[place] = 0;
  for (int pass = 0; pass < most; ++pass) {
    CAPTURE(pass);
    if (!KillAt(place, pass)) return;
    ++points_[place];
  }
}

bool CrashSweep::KillAt(const std::string& place, int pass) {
  const int leader = cluster_.Leader();
  cluster_.Arm(leader, place, pass);
  auto asking = std::async(std::launch::async, asked_);
  const bool killed = Stops(leader, place, [&] {
    return asking.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  });
  if (killed) {
    cluster_.Manager(leader).Signal(SIGKILL);
    // Once in a sweep it runs out by itself.
    const bool first = points_.size() == 1 && pass == 0;
    if (!first) cluster_.EndLeaseOf(leader);
  }
  const Ended ended = asking.get();
  if (killed) cluster_.StartManager(leader);
  checks_(ended);
  return killed;
}

bool CrashSweep::Stops(int leader, const std::string& place, const std::function<bool()>& ended) {
  while (!cluster_.IsStopped(leader)) {
    if (ended() && cluster_.Disarm(leader, place)) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::string CrashSweep::Shown() const {
  int all = 0;
  std::string shown;
  for (const auto& [place, points] : points_) {
    all += points;
    shown += fmt::format(", {} {}", place, points);
  }
  return fmt::format("killed at {} points{}", all, shown);
}

}  // namespace hsmops::test
