// Apply: carries out a SyncPlan over the members, in parallel over devices, in batches.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/mirror/plan.h"

namespace hsmops::mirror {

inline constexpr std::size_t kBatchSecrets = 256;
inline constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

struct StepError {
  Step step;
  base::Error error;
  bool of_source = false;  // it was the source's, which says nothing of the step's node
  // Of the whole request, which was not answered: it says nothing of this record alone.
  bool unanswered = false;
};

struct ApplyReport {
  std::uint64_t copied = 0;
  std::uint64_t restored = 0;
  std::uint64_t quarantined = 0;
  std::vector<StepError> failed;
  std::vector<Step> alarms;
  bool cut_short = false;  // more is to be done
};

// done, total: steps. Called from the calling thread only.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;
// Asked after each batch, and each of the other steps.
using GoOn = std::function<bool()>;

// Restores first, then quarantine, then copies: each record is read from the source once, whatever
// the number of mirrors, while the batch before it is being written. What fails is in the report;
// the rest goes on. `go_on`: false cuts it short, once something was done; of who does not answer
// nothing more is asked then. Empty: always.
ApplyReport Apply(const SyncPlan& plan, Member& source,
                  const std::map<std::string, Member*>& members, const store::Term& sender,
                  base::Executor& executor, const Progress& progress, const GoOn& go_on = {});

}  // namespace hsmops::mirror
