// Tracker: turns single looks at a member into a verdict, so that one lost answer is not a failure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libhsmops/base/clock.h"

namespace hsmops::health {

enum class Verdict : std::uint8_t {
  kUnknown,  // never looked
  kHealthy,
  kSuspect,  // failed less often in a row than the threshold
  kUnhealthy,
};

// Not thread-safe.
class Tracker {
 public:
  // `threshold`: failures in a row that make a member unhealthy; at least 1. `interval`: one that
  // comes sooner after the last that counted counts with it, however often somebody looks.
  Tracker(int threshold, base::Duration interval) : threshold_(threshold), interval_(interval) {}

  int threshold() const { return threshold_; }
  base::Duration interval() const { return interval_; }
  // `took`: how long the look waited; one that waited for several intervals counts for as many.
  void Saw(const std::string& node, bool healthy, base::TimePoint now,
           base::Duration took = base::Duration(0));
  Verdict Of(const std::string& node) const;
  // Since when the failures come in a row; unset: it is healthy or was never looked at.
  std::optional<base::TimePoint> FailingSince(const std::string& node) const;

 private:
  struct Row {
    int failures = 0;
    std::optional<base::TimePoint> since;
    base::TimePoint counted;  // the last of them
  };
  int threshold_;
  base::Duration interval_;
  std::map<std::string, Row> rows_;
};

}  // namespace hsmops::health
