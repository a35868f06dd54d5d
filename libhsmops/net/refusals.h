// Refusals: what a server turned away, counted by kind for metrics, and told without flooding a
// log.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "libhsmops/base/clock.h"

namespace hsmops::net {

enum class Refusal : std::uint8_t {
  kAccept,           // the operating system gave no connection (file descriptors, memory)
  kConnections,      // as many connections as allowed were open
  kHandshake,        // no TLS 1.3, no certificate, or not one of this pool
  kHandshakeTime,    // the handshake did not end in time
  kPeerConnections,  // as many connections of one identity as allowed were open
  kPeerExpired,      // its certificate expired while it was connected
  kRate,             // more requests of one identity than allowed: 429
  kHeaderTime,       // the header did not come in time
  kHeaderSize,       // 431
  kRole,             // asks what its role may not: 403
  kMalformed,        // not HTTP/1.1, or an expectation we do not know: 400, 417
  kBodySize,         // 413
  kBodyTime,         // the body did not come in time
  kBusy,             // the lane's queue or the memory for bodies was full: 503
  kWriteTime,        // the peer did not take its answer in time
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::kWriteTime) + 1;
// "handshake_time": as a metric's label.
std::string_view Name(Refusal kind);

inline constexpr std::chrono::minutes kRefusalSilence{1};
inline constexpr std::size_t kMaxRefusalPeers = 1024;

// Thread-safe. `clock` must outlive it.
class Refusals {
 public:
  using Log = std::function<void(const std::string& line)>;
  // `log` is called by several threads, one after the other, and may be empty.
  Refusals(const base::Clock& clock, Log log) : clock_(clock), log_(std::move(log)) {}

  // `peer`: an identity or an address, both fit for a terminal, as is `why`. Logged once per kind
  // and peer, a handshake's also per reason, within kRefusalSilence; the next line tells how many
  // were not logged. Peers beyond kMaxRefusalPeers share one line.
  void Note(Refusal kind, const std::string& peer, std::string_view why);

  std::uint64_t count(Refusal kind) const { return counts_[static_cast<std::size_t>(kind)].load(); }

 private:
  struct Told {
    base::TimePoint at;
    std::uint64_t silent = 0;
  };
  using Key = std::tuple<Refusal, std::string, std::string>;
  Key KeyFor(Refusal kind, const std::string& peer, std::string_view why, base::TimePoint now);

  const base::Clock& clock_;
  const Log log_;
  std::array<std::atomic<std::uint64_t>, kRefusals> counts_{};
  std::mutex mutex_;
  std::map<Key, Told> told_;
};

}  // namespace hsmops::net
