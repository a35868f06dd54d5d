// Admission: who may come in now: how many connections, of whom, how often, with how many bytes.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/net/rate_limit.h"

namespace hsmops::net {

struct AdmissionLimits {
  std::size_t connections = 1024;
  std::size_t handshakes = 512;  // of those, with a handshake that has not ended
  std::size_t connections_per_identity = 64;
  std::size_t body_bytes = std::size_t{256} << 20;  // of all bodies being read or worked on
  RateLimit requests_per_identity;
  std::size_t identities = 4096;  // whose rate is remembered
};

// Thread-safe. What is let in is given back by the caller, once for each that was.
class Admission {
 public:
  // `clock` must outlive it.
  Admission(const AdmissionLimits& limits, const base::Clock& clock)
      : limits_(limits), clock_(clock), rates_(limits.requests_per_identity, limits.identities) {}

  bool OpenConnection();  // which begins with a handshake
  void EndHandshake();
  void CloseConnection();

  bool AddConnectionOf(const std::string& identity);
  void RemoveConnectionOf(const std::string& identity);

  // nullopt: go ahead; else how long to wait.
  std::optional<base::Duration> TakeRequest(const std::string& identity);

  bool TakeBytes(std::size_t bytes);
  void GiveBytes(std::size_t bytes);

  std::size_t connections() const;

 private:
  const AdmissionLimits limits_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  RateLimiter rates_;
  std::map<std::string, std::size_t> of_identity_;
  std::size_t connections_ = 0;
  std::size_t handshakes_ = 0;
  std::size_t body_bytes_ = 0;
};

}  // namespace hsmops::net
