// Writer: writes to a pool through its Primary, with a grant that it keeps fresh.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"
#include "libhsmops/mirror/apply.h"
#include "libhsmops/mirror/replicated_write.h"

namespace hsmops::manager {

inline constexpr std::size_t kWriteBatch = 500;
inline constexpr std::size_t kFirstBatch = 32;  // until it is known how fast the tokens are

class Writer {
 public:
  // Where a manager keeps the Primary granted, only that is looked at. Otherwise finds the Primary,
  // brings members of S that lag up to date or takes them out of S, takes in
  // those that are equal, and opens the Primary's gate. kUnavailable: the Primary cannot be
  // reached, and the message says what to do; kReadOnly: durability Strict and nobody can confirm.
  static base::Result<Writer> Open(Pool& pool);

  // In batches, each acknowledged as a whole step; results in order. Stops asking after an error
  // that concerns the Primary itself; the rest then carries that error and was not tried.
  std::vector<base::Result<mirror::Acknowledged>> Write(std::vector<store::Write> writes,
                                                        const mirror::Progress& progress);

  const std::string& primary() const { return primary_; }
  // Mirrors that are not in S, with why: their copies come with the next sync.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  explicit Writer(Pool& pool) : pool_(&pool) {}
  base::Result<void> Refresh();
  mirror::SyncSet SyncSetNow();
  std::vector<base::Result<mirror::Acknowledged>> WriteBatch(std::vector<store::Write> batch);

  Pool* pool_;
  std::string primary_;
  std::vector<std::string> warnings_;
  base::TimePoint renew_at_{};
  // The Primary is an agent that a manager keeps granted: it takes writes from W0 to W8 by itself.
  bool granted_ = false;
  mirror::Stamp stamp_;
};

}  // namespace hsmops::manager
