// History: what clients asked and what they were told; and what of it cannot be true if there is
// one writer at a time and nothing acknowledged is lost.
//
// Knows versions and times, and nothing of the code that makes them. All clients are on one
// machine, so their times are of one clock.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/store/secret.h"

namespace hsmops::test {

struct Attempt {
  enum class Outcome : std::uint8_t {
    kAcknowledged,
    kRefused,  // surely nothing was written
    kMaybe,
    kRead,  // the Primary's own answer, which is linearisable
  };
  std::string client;
  std::string name;
  std::string value;  // every write has another; of a read: what was there, "" for nothing
  Outcome outcome = Outcome::kMaybe;
  base::TimePoint asked;
  base::TimePoint told;
  store::Version version;  // acknowledged or read; zero: there was none
  bool repeated = false;   // the version may be that of a later write of the name
};

// Thread-safe.
class History {
 public:
  void Add(Attempt attempt);
  std::vector<Attempt> attempts() const;
  // Acknowledged ones that were asked for at this time or later.
  std::size_t AcknowledgedSince(base::TimePoint time) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Attempt> attempts_;
};

// One sentence for each contradiction, at most ten of a kind; none: all is well.
std::vector<std::string> Contradictions(const std::vector<Attempt>& attempts);

// The greatest acknowledged version of each name: what must be there in the end, or something
// later.
std::map<std::string, store::Version> Floor(const std::vector<Attempt>& attempts);
// What of that a member lacks, by what it holds.
std::vector<std::string> Missing(const std::map<std::string, store::Version>& floor,
                                 const std::map<std::string, store::Version>& held);

}  // namespace hsmops::test
