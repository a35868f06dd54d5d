// HSMDeviceStatus: what the manager last saw and did, for people and for `kubectl get`.
//
// Nothing here decides who may write: that is the Arbiter. An optional that is empty means unknown,
// never 0. Values that an older operator of this API group left are read, not refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/cluster/object_meta.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxHistory = 20;

enum class DevicePhase : std::uint8_t {
  kUnset,
  kReady,
  kDegraded,
  kReadOnly,
  kFailingOver,
  kPaused,
  kUnavailable,
  kPending,  // the last three: only read, from the upstream operator
  kDiscovering,
  kError,
};
std::span<const Named<DevicePhase>> NamesOf(DevicePhase);
enum class DeviceRole : std::uint8_t { kUnset, kPrimary, kReadOnly, kStandby };
std::span<const Named<DeviceRole>> NamesOf(DeviceRole);
enum class Severity : std::uint8_t { kDegraded, kCritical };
std::span<const Named<Severity>> NamesOf(Severity);  // "degraded", "critical"

// (counter, nonce), as protocol.md has it; compared by counter. The nonce is hex, so that no JSON
// reader rounds it.
struct EpochStatus {
  std::uint64_t counter = 0;
  std::string nonce;
  bool operator==(const EpochStatus&) const = default;
};

struct Lag {
  std::optional<std::int64_t> versions;
  std::optional<std::int64_t> seconds;
  bool operator==(const Lag&) const = default;
};

struct DeviceStatus {
  std::string node_name;
  DeviceRole role = DeviceRole::kUnset;
  std::string health;
  bool available = false;
  std::string serial_number;
  std::map<std::string, std::string> device_info;
  std::string position;  // the greatest version it holds, as text
  Lag lag;
  std::string checksum;  // of the inventory, salted; nothing computed from a value alone
  std::optional<base::WallTime> last_seen;
  std::optional<base::WallTime> last_sync_time;
  std::optional<std::int64_t> latency_ms;
  std::optional<std::uint64_t> epoch;
  std::optional<bool> in_sync;
  std::string pin;
  std::optional<std::int64_t> free_objects;
  std::optional<base::WallTime> certificate_not_after;
  std::vector<std::string> reachable_from;
  std::vector<std::string> why_not;  // why it cannot be promoted; empty: it can
  std::string reason;
  std::string message;
  bool operator==(const DeviceStatus&) const = default;
};

struct MirroringStatus {
  bool enabled = false;
  std::string primary_node;
  std::vector<std::string> mirrored_nodes;
  std::optional<base::WallTime> last_sync_time;
  std::vector<std::string> sync_errors;
  int failover_count = 0;
  bool operator==(const MirroringStatus&) const = default;
};

struct PausedStatus {
  std::string by;
  std::string reason;
  std::optional<base::WallTime> since;
  std::optional<base::WallTime> until;
  bool operator==(const PausedStatus&) const = default;
};

struct SecretCounts {
  std::int64_t total = 0;
  std::int64_t full = 0;
  std::int64_t partial = 0;
  std::int64_t inconsistent = 0;
  std::int64_t unreplicated = 0;
  std::int64_t diverged = 0;
  bool operator==(const SecretCounts&) const = default;
};

struct Finding {
  Severity severity = Severity::kDegraded;
  std::string subject;
  std::string reason;
  std::string message;
  std::string next_step;
  bool operator==(const Finding&) const = default;
};

// HistoryEntry::type of a promotion that nobody planned.
inline constexpr const char* kUnplanned = "Failover";
// Of one that came past P2 and not to its end; it is gone on with.
inline constexpr const char* kFailedOutcome = "Failed";
inline constexpr const char* kAbortedOutcome = "Aborted";  // before anything was changed

// One promotion, planned or not, finished or aborted.
struct HistoryEntry {
  std::optional<base::WallTime> time;
  std::string type;     // Promote, Failover
  std::string outcome;  // Succeeded, Aborted, Failed
  std::string from;
  std::string to;
  std::uint64_t epoch = 0;
  std::string cause;
  std::string lost;  // what was given up: "none", a count, or "unknown"
  std::string operation;
  std::optional<std::int64_t> duration_ms;
  // Nobody had planned it, automatic or not, and it was carried out.
  bool IsFailover() const { return type == kUnplanned && outcome == "Succeeded"; }
  bool operator==(const HistoryEntry&) const = default;
};

// P1 of a promotion, and the floor of the epoch counter that P0 asks for.
struct PromotionStatus {
  EpochStatus epoch;
  std::string target;
  std::string operation;
  std::optional<base::WallTime> started_at;
  bool operator==(const PromotionStatus&) const = default;
};

// The condition that allows another automatic failover before minInterval is over.
inline constexpr const char* kFailoverAcknowledged = "FailoverAcknowledged";

struct HSMDeviceStatus {
  std::int64_t observed_generation = 0;
  DevicePhase phase = DevicePhase::kUnset;
  std::optional<EpochStatus> epoch;
  std::uint64_t epoch_floor = 0;  // can raise the arbiter, never lower it
  std::optional<PromotionStatus> promotion;
  std::string primary_node;
  std::string position;
  std::vector<DeviceStatus> devices;
  std::optional<MirroringStatus> mirroring;
  std::string lease_holder;
  std::optional<int> failure_tolerance;
  std::optional<PausedStatus> paused;
  std::optional<SecretCounts> secrets;
  std::vector<Finding> findings;
  std::vector<HistoryEntry> history;  // oldest first, at most kMaxHistory
  std::vector<Condition> conditions;
  bool operator==(const HSMDeviceStatus&) const = default;

  // Unset: it is not paused at this moment.
  std::optional<base::WallTime> PausedUntil(base::WallTime now) const;
  // Appends, dropping the oldest past kMaxHistory.
  void Remember(HistoryEntry entry);
};
void Describe(FieldReader& fields, HSMDeviceStatus& status);
void Describe(FieldWriter& fields, HSMDeviceStatus& status);
void Describe(FieldSchema& fields, HSMDeviceStatus& status);

// Findings worst first, in the order given otherwise.
void SortFindings(std::vector<Finding>& findings);

}  // namespace hsmops::cluster
