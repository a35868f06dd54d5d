// Clock: time as a seam, so that the simulator can own it.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "libhsmops/base/result.h"

namespace hsmops::base {

using Duration = std::chrono::nanoseconds;
// A moment on this host's CLOCK_BOOTTIME: goes on through suspend, never set back; not comparable
// between hosts or boots.
struct TimePoint {
  Duration since_boot{0};
  auto operator<=>(const TimePoint&) const = default;
  TimePoint operator+(Duration d) const { return {since_boot + d}; }
  TimePoint operator-(Duration d) const { return {since_boot - d}; }
  Duration operator-(TimePoint other) const { return since_boot - other.since_boot; }
};
// Wall time, only for people and for records that outlive this boot; it may jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
  virtual WallTime Wall() const = 0;
  virtual void SleepFor(Duration duration) = 0;
};

class SystemClock : public Clock {
 public:
  TimePoint Now() const override;
  WallTime Wall() const override;
  void SleepFor(Duration duration) override;
};

// Time that stands still until it is moved. Thread-safe, where one thread moves it.
class ManualClock : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  WallTime Wall() const override { return wall_; }
  void SleepFor(Duration duration) override { Advance(duration); }
  void Advance(Duration duration);

 private:
  std::atomic<TimePoint> now_{TimePoint(std::chrono::hours(1))};
  std::atomic<WallTime> wall_{WallTime(std::chrono::seconds(1'800'000'000))};
};

// RFC 3339 in UTC with microseconds, as Kubernetes MicroTime: "2026-01-02T03:04:05.000000Z".
std::string FormatMicroTime(WallTime time);
// The same without fractions, as Kubernetes Time.
std::string FormatTime(WallTime time);
// Accepts both forms and numeric offsets. kInvalid otherwise.
Result<WallTime> ParseTime(std::string_view text);
// "350ms", "12s", "4m10s", "2h", "3d4h": two units at most, as kubectl prints ages.
std::string FormatDuration(Duration duration);
// Go's form: "300ms", "90s", "2h45m"; also "2d". kInvalid: empty, negative, no unit, too large.
Result<Duration> ParseDuration(std::string_view text);

}  // namespace hsmops::base
