// Promotion: makes another member the Primary, by P0 to P8 of protocol.md, 3.
//
// Planned (promote): the old Primary is asked to close its gate and the copies are proved equal
// first; until the compare-and-swap of P2 everything is undone on failure. Unplanned (failover):
// works without the old Primary and never waits for more than its grant. After P2 there is only
// forward: a promotion cut short is finished by the next promote or failover, under a new epoch.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/pool.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::manager {

struct PromotionOptions {
  failover::Purpose purpose = failover::Purpose::kPromote;
  std::string target;            // empty: the best candidate
  std::set<std::string> avoid;   // then not these, where another will do: they were tried
  std::string expected_primary;  // empty: whoever it is
  bool accept_loss = false;      // kFailover only: skip the quorum of P5
  bool dry_run = false;
  bool unless_paused = false;  // nobody asked for it: a pause up to P2 prevents it
  std::string operation;       // the HSMOperation's name
  std::string reason;          // a person's words, for the history
  // When somebody asked for it; a failover that ended since then has done what kFailover asks for.
  std::optional<base::WallTime> asked_at;
  // Since when the Primary fails to answer as it should, where somebody has watched it.
  std::optional<base::TimePoint> failing_since;
};

struct PromotionReport {
  bool changed = false;  // false: the target was the Primary already, or dry_run
  std::string from;
  std::string to;
  store::Epoch epoch;
  std::uint64_t secrets = 0;  // whose equality was proved
  std::uint64_t merged = 0;   // versions the target pulled in P6
  std::string lost;           // "none", or "unknown" with what that means; "": nobody has looked
  // From when the Primary failed or was quiesced; where nobody saw it fail (stopped_known is
  // false), from the begin of the promotion.
  base::Duration writes_stopped{0};
  bool stopped_known = false;
  std::vector<failover::Candidate> candidates;
};

// Called at each step with a sentence for people: steps of the HSMOperation.
using StepNote = std::function<void(const std::string& name, const std::string& message)>;

// kConflict: expected_primary differs, or somebody else changed the arbiter. kReadOnly: refused by
// a precondition, reasons in the message. kUnavailable: too few members answer; nothing changed.
// kInDoubt: after P2, so it is begun and only goes forward.
base::Result<PromotionReport> Promote(Pool& pool, const PromotionOptions& options,
                                      const StepNote& note);

}  // namespace hsmops::manager
