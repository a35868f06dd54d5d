// OperationLog: the HSMOperation of one thing that is being done, kept true while it is.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Of an operation that does not say itself how long it is kept (ttlSecondsAfterFinished).
inline constexpr std::chrono::seconds kOperationTtl = std::chrono::hours(7 * 24);

// Who is the Primary afterwards may be another.
bool IsPromotion(const cluster::HSMOperationSpec& spec);
// Whom a person asked to be that; empty: the best, as with the managers' own.
std::string WantedOf(const cluster::HSMOperation& operation);

// The store answers, and of this object it does not want this write.
bool IsRefusal(base::ErrorCode code);

// Of this device, the oldest first. `refused`, where given: why one in its namespace cannot be read
// as an operation at all; empty: none is so.
base::Result<std::vector<cluster::HSMOperation>> OperationsOf(Pool& pool,
                                                              std::string* refused = nullptr);

// A Reinit of this device that is Running, no dry run; nullopt: none, or that cannot be read.
std::optional<cluster::HSMOperation> RunningReinit(World& world, const std::string& ns,
                                                   const std::string& device);

class OperationLog {
 public:
  // Makes the HSMOperation, already Running. Operations of this device that say Running and whose
  // process is gone (the caller holds the device, so nobody else runs one) are ended as Failed
  // first, and finished ones that are past their time or too many are removed.
  // `requested_by`: for kRequestedBy, where it is known.
  static base::Result<OperationLog> Begin(Pool& pool, cluster::HSMOperationSpec spec,
                                          const std::string& requested_by = {});

  // The same for a manager that leads, which has seen to what others left behind already.
  static OperationLog Make(Pool& pool, cluster::HSMOperationSpec spec);
  // One that somebody made, and that is Running from here on.
  static base::Result<OperationLog> Take(Pool& pool, cluster::HSMOperation operation);
  // One that is stored nowhere, for a dry run that nobody else is to carry out.
  static OperationLog Rehearse(Pool& pool, cluster::HSMOperationSpec spec);
  // One that is Running, by name; nullopt: there is none, or it cannot be read now.
  static std::optional<OperationLog> Find(Pool& pool, const std::string& name);

  // Whoever shows it to a person as it goes on: called after every change.
  using Told = std::function<void(const cluster::HSMOperation&)>;
  void Tell(Told told) { told_ = std::move(told); }

  // Ends the step before and begins this one.
  void Step(const std::string& name, const std::string& message);
  // One that is not done, and why.
  void Skip(const std::string& name, const std::string& message);
  // Written once in a second, and with the next step or Finish.
  void Progress(std::uint64_t done, std::uint64_t total);
  // The last word. What cannot be written is told by the next Begin.
  const cluster::HSMOperation& Finish(cluster::OperationPhase phase, const std::string& result,
                                      const std::string& message);
  // The same of an error; its message as it is in the status.
  std::string Fail(const base::Error& error);

  // What it said last is not on record, or nobody knows.
  bool unsaved() const { return unsaved_; }

  const std::string& name() const { return operation_.metadata.name; }
  const cluster::HSMOperation& operation() const { return operation_; }

 private:
  OperationLog(Pool& pool, cluster::HSMOperation operation)
      : world_(&pool.world()), operation_(std::move(operation)) {}
  static void NameIt(Pool& pool, cluster::HSMOperation& operation);
  static base::Result<OperationLog> Create(Pool& pool, const cluster::HSMOperation& operation);
  void Save();
  base::Result<cluster::HSMOperation> SaveAgain();
  void Add(const std::string& name, cluster::StepState state, const std::string& message);
  void EndStep(cluster::StepState state);

  World* world_;
  cluster::HSMOperation operation_;
  bool stored_ = true;
  bool unsaved_ = false;
  Told told_;
  base::TimePoint saved_{};
};

// The result of a promotion whose place another one has taken.
inline constexpr const char* kSuperseded = "Superseded";

// Ends one that nobody carries out (any more), with these words for its status.
base::Result<void> EndOperation(World& world, cluster::HSMOperation& operation,
                                cluster::OperationPhase phase, const std::string& result,
                                const std::string& message);
// Its manager has done something of it, also where it is Pending again since that died.
bool WasBegun(const cluster::HSMOperation& operation);
// One that is Pending and was cancelled: in doubt where it was begun.
base::Result<void> EndCancelled(World& world, cluster::HSMOperation& operation);
// One that says Running, of a command that is gone: it has failed.
base::Result<void> EndAbandoned(Pool& pool, cluster::HSMOperation& operation);

}  // namespace hsmops::manager
