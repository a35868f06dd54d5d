// RateLimiter: a token bucket for each of many callers; a value, given the time.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libhsmops/base/clock.h"

namespace hsmops::net {

struct RateLimit {
  double per_second = 50;  // positive
  double burst = 100;      // at least 1: what may come at once after a silence
};

// Not thread-safe.
class RateLimiter {
 public:
  // `max_callers`: so many are remembered. A caller who is new while all of those still have debts
  // waits as one of them does.
  RateLimiter(RateLimit limit, std::size_t max_callers)
      : limit_(limit), max_callers_(max_callers) {}

  // nullopt: go ahead. Else how long to wait until it is worth asking again; nothing is taken then.
  std::optional<base::Duration> Take(const std::string& caller, base::TimePoint now);

 private:
  struct Bucket {
    double tokens;
    base::TimePoint at;
  };
  double TokensAt(const Bucket& bucket, base::TimePoint now) const;
  base::Duration UntilOne(double tokens) const;

  RateLimit limit_;
  std::size_t max_callers_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace hsmops::net
