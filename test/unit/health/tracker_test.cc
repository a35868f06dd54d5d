// Tracker: single looks become a verdict.
#include "libhsmops/health/tracker.h"

#include <doctest/doctest.h>

namespace hsmops::health {

TEST_CASE("failures in a row make a member unhealthy, one success makes it healthy again") {
  Tracker tracker(3, std::chrono::seconds(1));
  const base::TimePoint start{std::chrono::hours(1)};
  const auto at = [&](int second) { return start + std::chrono::seconds(second); };
  CHECK(tracker.Of("a") == Verdict::kUnknown);
  CHECK(!tracker.FailingSince("a"));
  tracker.Saw("a", true, at(0));
  CHECK(tracker.Of("a") == Verdict::kHealthy);
  tracker.Saw("a", false, at(1));
  tracker.Saw("a", false, at(2));
  CHECK(tracker.Of("a") == Verdict::kSuspect);
  CHECK(tracker.FailingSince("a") == at(1));
  tracker.Saw("a", true, at(3));
  CHECK(tracker.Of("a") == Verdict::kHealthy);
  CHECK(!tracker.FailingSince("a"));
  for (int second = 4; second < 7; ++second) tracker.Saw("a", false, at(second));
  CHECK(tracker.Of("a") == Verdict::kUnhealthy);
  CHECK(tracker.FailingSince("a") == at(4));
  CHECK(tracker.Of("b") == Verdict::kUnknown);
  Tracker strict(1, std::chrono::seconds(1));
  strict.Saw("a", false, at(0));
  CHECK(strict.Of("a") == Verdict::kUnhealthy);
}

TEST_CASE("looks that come faster than the interval are one failure") {
  Tracker tracker(3, std::chrono::seconds(2));
  const base::TimePoint start{std::chrono::hours(1)};
  const auto at = [&](int ms) { return start + std::chrono::milliseconds(ms); };
  for (int ms = 0; ms < 4000; ms += 500) tracker.Saw("a", false, at(ms));
  CHECK(tracker.Of("a") == Verdict::kSuspect);
  CHECK(tracker.FailingSince("a") == at(0));
  tracker.Saw("a", false, at(4000));
  CHECK(tracker.Of("a") == Verdict::kUnhealthy);
  tracker.Saw("a", true, at(4100));
  tracker.Saw("a", false, at(4200));
  CHECK(tracker.Of("a") == Verdict::kSuspect);
}

}  // namespace hsmops::health
