// Front: what clients of a manager get of one device: writes through the Primary, reads from the
// Primary or, marked, from a mirror. Every replica has one, whether it leads or not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"
#include "libhsmops/manager/reader.h"

namespace hsmops::manager {

// R is read again when it is older than this, or when somebody did not answer as it should.
inline constexpr std::chrono::milliseconds kFrontLook{1000};
// Where R as it was read has no Primary the store itself is asked for it, this often at most.
inline constexpr std::chrono::milliseconds kLatestLook{200};

// Not thread-safe; a replica may have several.
class Front {
 public:
  // `world` must outlive it.
  Front(World& world, std::string ns, std::string device)
      : world_(world), ns_(std::move(ns)), device_(std::move(device)) {}

  // One result a write, with the errors of mirror::ReplicatedWrite. kUnavailable, kReadOnly:
  // nothing was written. kInDoubt: the answer was lost; the same opIds again settle it.
  base::Result<std::vector<base::Result<mirror::Acknowledged>>> Put(
      const mirror::Stamp& stamp, std::vector<store::Write> writes);
  // What puts that are asked for now are stamped with. kUnavailable: no Primary answers.
  base::Result<mirror::Stamp> TakeStamp();
  // As manager::Read; from the Primary when its gate is open, which no grant of ours is needed for.
  // With policy Active from anybody of S and the Primary, marked: each of them holds what is
  // acknowledged. That there is none only the Primary says.
  base::Result<Served> Get(const store::SecretName& name);
  // By R of the last kFrontLook.
  base::Result<Pool*> Recent();
  // For who looks at the members: by R and the device as they are read now, and who is left alone
  // because it is wiped is so by R as the store itself has it.
  base::Result<Pool*> pool();
  bool IsOpen() const { return pool_ != nullptr; }

 private:
  base::Result<void> Refresh();
  void LeaveWipedAlone();
  base::Result<std::string> PrimaryNow(Pool& pool, base::ErrorCode none);
  std::optional<Served> FromMirror(Pool& pool, const store::SecretName& name);
  static std::optional<std::string> MovedTo(
      Pool& pool, const std::string& primary,
      const base::Result<std::vector<base::Result<mirror::Acknowledged>>>& answer,
      const mirror::Stamp& stamp);

  World& world_;
  const std::string ns_;
  const std::string device_;
  std::unique_ptr<Pool> pool_;
  base::TimePoint looked_{};
  base::TimePoint next_latest_{};
};

}  // namespace hsmops::manager
