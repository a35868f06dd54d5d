// HSMOperation: one thing asked for (a promotion, a sync, …), and how it ended. The audit trail.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxReasonBytes = 1024;
inline constexpr std::size_t kMaxVersionBytes = 64;
inline constexpr std::size_t kMaxSteps = 100;

// The annotation that says who asked for it, in the command's own words: a hint, no proof.
inline constexpr const char* kRequestedBy = "hsm.j5t.io/requested-by";

// The annotation of one that a command carries out itself: when that ends, nobody goes on with it.
inline constexpr const char* kCarriedByCommand = "hsm.j5t.io/carried-by-command";
// The annotation of one that a manager has asked for itself: what a pause prevents.
inline constexpr const char* kAutomatic = "hsm.j5t.io/automatic";

enum class OperationType : std::uint8_t {
  kSync,
  kVerify,
  kPromote,
  kFailover,
  kPause,
  kResume,
  kAck,
  kReinit,
  kAdopt,
  kDiscard,
  kDrill,
};
std::span<const Named<OperationType>> NamesOf(OperationType);
enum class OperationPhase : std::uint8_t {
  kPending,
  kRunning,
  kSucceeded,
  kFailed,
  kPartial,
  kCancelled
};
std::span<const Named<OperationPhase>> NamesOf(OperationPhase);
enum class StepState : std::uint8_t { kPending, kRunning, kSucceeded, kFailed, kSkipped };
std::span<const Named<StepState>> NamesOf(StepState);

struct HSMOperationSpec {
  ObjectRef device_ref;
  std::optional<OperationType> type;  // always there after FromJson
  std::string target_node;
  std::string expected_primary;
  std::string winner;
  std::string secret;   // the name of one secret; empty: all
  std::string version;  // Discard: of that secret, where several were set aside
  bool full = false;
  bool accept_loss = false;
  bool dry_run = false;
  bool cancel = false;  // asks for the operation to be given up, where that is still possible
  std::optional<base::WallTime> until;
  std::string reason;
  std::optional<base::WallTime> not_before;
  std::optional<std::chrono::seconds> ttl_seconds_after_finished;  // absent: kept
  bool operator==(const HSMOperationSpec&) const = default;
};

struct OperationStep {
  std::string name;
  StepState state = StepState::kPending;
  std::optional<base::WallTime> started_at;
  std::optional<base::WallTime> completed_at;
  std::string message;
  bool operator==(const OperationStep&) const = default;
};

struct OperationProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
  bool operator==(const OperationProgress&) const = default;
};

struct HSMOperationStatus {
  OperationPhase phase = OperationPhase::kPending;
  std::optional<base::WallTime> started_at;
  std::optional<base::WallTime> completed_at;
  std::optional<OperationProgress> progress;
  std::vector<OperationStep> steps;  // at most kMaxSteps
  std::string result;
  std::string message;
  bool operator==(const HSMOperationStatus&) const = default;
};

struct HSMOperation {
  static constexpr Kind kKind = Kind::kHsmOperation;
  ObjectMeta metadata;
  HSMOperationSpec spec;
  HSMOperationStatus status;

  // As HSMDevice::FromJson.
  static base::Result<HSMOperation> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;
  // The structural schema of spec and status, for a CustomResourceDefinition.
  static nlohmann::json Schema();
  base::Result<void> Validate() const;

  // Succeeded, Failed, Partial or Cancelled: it will not change any more.
  bool Finished() const;
  // Finished, and ttlSecondsAfterFinished have passed since completedAt. Nothing removes it by
  // itself.
  bool Expired(base::WallTime now) const;

  bool operator==(const HSMOperation&) const = default;
};

}  // namespace hsmops::cluster
