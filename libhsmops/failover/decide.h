// Decide: whether to promote somebody, whom, and why; pure.
//
// Reads nothing and changes nothing. Never acts on Unknown: a member that could not be asked is
// never a candidate, and a Primary that could not be asked is "unhealthy" only when the tracker
// says so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/failover/cluster_state.h"

namespace hsmops::failover {

enum class Purpose : std::uint8_t {
  kPromote,   // planned: the Primary lives and is asked to step down
  kFailover,  // unplanned: it does not, and nothing acknowledged may be lost
  kForced,    // what may be lost was accepted
};

enum class Mode : std::uint8_t { kAuto, kObserve, kOff };

struct Policy {
  Mode mode = Mode::kAuto;
  base::Duration min_interval = std::chrono::seconds(600);
};

// May this member become the Primary? `reasons` is empty exactly when it may.
struct Candidate {
  std::string node;
  std::vector<std::string> reasons;
  bool eligible() const { return reasons.empty(); }
};

// All members, the best first: eligible ones before others, then the Primary last (which only what
// is forced may choose again, under a record that regressed), whole ones before damaged ones,
// standbys first, then the higher
// priority, then those in the sync set, then by node name.
std::vector<Candidate> Candidates(const ClusterState& state, Purpose purpose);

struct Decision {
  enum class Action : std::uint8_t { kNone, kWouldFailOver, kFailOver };
  Action action = Action::kNone;
  std::string target;
  std::string reason;  // one sentence, always
};

// Until when minInterval holds the next automatic failover back; nullopt: it does not. A planned
// promotion says nothing of how often nodes die, and holds nothing back.
std::optional<base::WallTime> HeldUntil(const ClusterState& state, const Policy& policy,
                                        base::WallTime now);

// `primary_unhealthy`: the tracker's verdict after its threshold, not one failed look.
Decision Decide(const ClusterState& state, const Policy& policy, bool primary_unhealthy,
                base::WallTime now);

}  // namespace hsmops::failover
