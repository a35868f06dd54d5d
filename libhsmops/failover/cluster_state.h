// ClusterState: what was recorded and what was seen, as values, for those who decide.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::failover {

// One member as it was seen at one moment.
struct MemberView {
  std::string node;
  store::Uid uid{};
  bool standby = false;
  int priority = 0;
  bool holder = false;       // R names it
  bool in_sync_set = false;  // R's S holds it
  base::Result<mirror::MemberStatus> status =
      base::Error(base::ErrorCode::kUnavailable, "not asked");
  // What it was told of who may write; also of a node that is not on record. Unset: not known.
  std::optional<store::Term> told;
  // The operation that wipes it and fills it again, so that nobody else asks it; empty: none does.
  std::string wiped_by;
  // Of the Primary: why its gate cannot open, whatever its token says. Empty: nothing is known.
  std::string why_closed;
  base::Duration latency{0};

  bool reachable() const { return status.ok(); }
  // Then R is an older one, as after a restore from a backup, or was made to go on from one.
  bool ToldLaterThan(const store::Term& recorded) const {
    return told && told->Contradicts(recorded);
  }
  // A member of the pool whose store is open and whose probe, if one was made, found nothing wrong.
  bool Healthy() const { return WhyUnhealthy().empty(); }
  // The first thing that is wrong, as one sentence; empty: nothing.
  std::string WhyUnhealthy() const;
  // Of the Primary: why a planned promotion may not leave it, as one sentence; empty: it may.
  std::string WhyNotLeave() const;
};

// Who acts for the device by itself: renews the Primary's grant, replaces it.
enum class Managers : std::uint8_t {
  kNone,     // there never was one: every command does what it needs itself
  kLead,     // one leads
  kMissing,  // they did, and none does now
};

struct ClusterState {
  std::optional<std::string> holder;  // node; unset while a promotion runs
  store::Epoch epoch;
  std::uint64_t generation = 0;
  // R was another by the end of the look, or could not be read again: who was told later than
  // `epoch` and `generation` was told by a later R, as far as is known.
  bool overtaken = false;
  bool promoting = false;
  bool older_record = false;  // that promotion began under an R that was an older one
  std::string target;         // of the promotion
  std::string operation;      // that carries it out; "" for none
  Managers managers = Managers::kNone;
  unsigned needed = 0;  // k
  std::vector<MemberView> members;
  unsigned strangers_in_sync_set = 0;           // of S, and no node of the device any more
  std::optional<base::WallTime> paused_until;   // unset: not paused
  std::optional<base::WallTime> last_failover;  // unset: never, or acknowledged since

  const MemberView* Find(std::string_view node) const;
  const MemberView* Holder() const;
  // It was told later than R is now: R is an older one.
  bool ProvesOlderRecord(const MemberView& member) const {
    return !overtaken && member.ToldLaterThan({epoch, generation});
  }
  // The Primary is healthy and, where managers are to renew its grant, has one.
  bool TakesWrites() const;
  // The nodes that the Primary says it does not reach. Empty when it does not answer.
  std::set<std::string> Unreached() const;
};

}  // namespace hsmops::failover
