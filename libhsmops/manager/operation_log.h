// OperationLog: the HSMOperation of one thing that is being done, kept true while it is.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Of one device; the oldest go first.
inline constexpr std::size_t kMaxFinishedOperations = 200;
// Of an operation that does not say itself how long it is kept (ttlSecondsAfterFinished).
inline constexpr std::chrono::seconds kOperationTtl = std::chrono::hours(7 * 24);

class OperationLog {
 public:
  // Makes the HSMOperation, already Running. Operations of this device that say Running and whose
  // process is gone (the caller holds the device, so nobody else runs one) are ended as Failed
  // first, and finished ones that are past their time or too many are removed.
  static base::Result<OperationLog> Begin(Pool& pool, cluster::HSMOperationSpec spec);

  // The same for a manager that leads, which has seen to what others left behind already.
  static base::Result<OperationLog> Make(Pool& pool, cluster::HSMOperationSpec spec);
  // One that somebody made, and that is Running from here on.
  static base::Result<OperationLog> Take(Pool& pool, cluster::HSMOperation operation);
  // One that is Running, by name; nullopt: there is none, or it cannot be read now.
  static std::optional<OperationLog> Find(Pool& pool, const std::string& name);

  // Ends the step before and begins this one.
  void Step(const std::string& name, const std::string& message);
  void Progress(std::uint64_t done, std::uint64_t total);  // written with the next Step or Finish
  // The last word. What cannot be written is told by the next Begin.
  const cluster::HSMOperation& Finish(cluster::OperationPhase phase, const std::string& result,
                                      const std::string& message);

  const std::string& name() const { return operation_.metadata.name; }
  const cluster::HSMOperation& operation() const { return operation_; }

 private:
  OperationLog(Pool& pool, cluster::HSMOperation operation)
      : pool_(&pool), operation_(std::move(operation)) {}
  void Save();
  void EndStep(cluster::StepState state);

  Pool* pool_;
  cluster::HSMOperation operation_;
};

}  // namespace hsmops::manager
