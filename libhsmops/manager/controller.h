// Controller: the loop of the manager that leads, for one device: observe, decide, record, act.
//
// Each turn looks at every member at once, does the one thing that is due most, and says in one
// sentence what and why. Safe with several at work (protocol.md, 3): what matters is a
// compare-and-swap of R. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libhsmops/failover/decide.h"
#include "libhsmops/manager/errand.h"
#include "libhsmops/manager/member_watch.h"
#include "libhsmops/manager/next_operation.h"
#include "libhsmops/manager/pool.h"
#include "libhsmops/manager/status_writer.h"
#include "libhsmops/manager/sync_set_keeper.h"
#include "libhsmops/manager/unmanaged.h"
#include "libhsmops/manager/verification.h"

namespace hsmops::manager {

class Controller {
 public:
  // `world` must outlive it.
  Controller(World& world, std::string ns, std::string device)
      : world_(world), ns_(std::move(ns)), device_(std::move(device)) {}

  Turned Turn();
  // What was learnt by looking is forgotten: it leads no more, or not yet.
  void Rest();

 private:
  base::Result<void> Open();
  base::Result<std::unique_ptr<Pool>> OpenPool();
  base::Result<void> TakeOverOnce();
  std::set<std::string> InHand() const;
  base::Result<std::optional<Turned>> Keep(const failover::ClusterState& state);
  bool HolderFails(const failover::ClusterState& state) const;
  std::optional<base::TimePoint> FailingSince() const;      // of the Primary; unset: it does not
  bool InDelay(const failover::ClusterState& state) const;  // it fails, and not for long enough
  base::Result<Turned> GoOn();
  base::Result<std::optional<Turned>> DoAsked(const failover::ClusterState& state,
                                              bool urgent_alone = false);
  base::Result<std::optional<Turned>> GoOnPromoting();
  base::Result<std::optional<Turned>> CarryInstead(OperationLog log);
  Turned CarryBeside(OperationLog log, Errand::Work work);
  std::optional<Turned> EndErrand();
  std::optional<Turned> EndVerifying();
  base::Result<std::optional<Turned>> FailOver(const failover::Decision& decision);
  base::Result<std::optional<Turned>> KeepCopies(const failover::ClusterState& state);
  base::Result<SyncReport> TimedSync(SyncOptions options);
  std::string CarryAloud(OperationLog& log, std::optional<base::TimePoint> failing_since);
  void TellBegun(const OperationLog& log);
  void TellSteps(OperationLog& log);
  void NoteTried();
  base::Result<std::optional<OperationLog>> Begin(Wanted wanted, std::string* refused = nullptr);
  void NoteEnd(const OperationLog& log);
  bool Readable(const base::Result<void>& read);
  void TellOnce(const std::string& reason, const std::string& note);
  void WriteStatus(const failover::ClusterState& state);

  World& world_;
  const std::string ns_;
  const std::string device_;
  Verification verification_{world_};
  Errand errand_{world_, ns_, device_};
  std::unique_ptr<Pool> pool_;
  bool enrolling_ = false;  // there is no record yet; whether that worked stands in the status
  Unmanaged unmanaged_;
  bool taken_over_ = false;  // what the leader before had in hand
  MemberWatch watch_{world_.clock};
  StatusWriter status_;
  std::set<std::string> tried_;  // targets of the promotion that is under way, in vain
  struct Vain {
    std::string target;
    base::Duration pause{};
    base::TimePoint next_try{};
  };
  Vain vain_;               // failovers that ended before anything was changed
  std::string unreadable_;  // why what is asked for is not; empty: it is
  std::string refused_;     // why one of it is no operation at all; empty: none is so
  std::string verifying_;   // the operation that waits for everything to be read again
  SyncSetKeeper sync_set_;
  std::map<std::string, std::string> told_;  // the last note of each reason of TellOnce
  std::optional<base::TimePoint> synced_;    // when everything was last compared,
  std::optional<base::TimePoint> verified_;  // and when it was last read again
};

}  // namespace hsmops::manager
