#include "libhsmops/net/rate_limit.h"

#include <algorithm>

namespace hsmops::net {

double RateLimiter::TokensAt(const Bucket& bucket, base::TimePoint now) const {
  const std::chrono::duration<double> passed = now - bucket.at;
  return std::min(limit_.burst, bucket.tokens + std::max(0.0, passed.count()) * limit_.per_second);
}

base::Duration RateLimiter::UntilOne(double tokens) const {
  return std::chrono::ceil<base::Duration>(
      std::chrono::duration<double>((1 - tokens) / limit_.per_second));
}

std::optional<base::Duration> RateLimiter::Take(const std::string& caller, base::TimePoint now) {
  auto found = buckets_.find(caller);
  if (found == buckets_.end()) {
    if (buckets_.size() >= max_callers_) {
      // A full bucket is as good as none.
      std::erase_if(buckets_,
                    [&](const auto& entry) { return TokensAt(entry.second, now) >= limit_.burst; });
    }
    if (buckets_.size() >= max_callers_) return UntilOne(0);
    found = buckets_.emplace(caller, Bucket{limit_.burst, now}).first;
  }
  const double tokens = TokensAt(found->second, now);
  if (tokens < 1) return UntilOne(tokens);
  found->second = {tokens - 1, now};
  return std::nullopt;
}

}  // namespace hsmops::net
