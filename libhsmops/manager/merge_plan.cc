#include "libhsmops/manager/merge_plan.h"

#include <fmt/format.h>

#include <map>

#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using StepKind = mirror::Step::Kind;

Result<MergePlan> PlanMerge(Pool& pool, const std::string& target,
                            const std::vector<std::string>& sources) {
  HSM_TRY(const Comparison comparison, Compare(pool, target, sources));
  // Against epoch 0 nothing is of an epoch that is over.
  MergePlan merge{
      mirror::Plan(comparison.source, comparison.mirrors, store::Epoch{}, false, CutsOf(pool)), {}};
  if (!merge.pull.unknown.empty())
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} answered and cannot be read any more; try again",
                             merge.pull.unknown.front()));
  std::map<store::Id, store::Version> pulled;
  for (const mirror::Step& step : merge.pull.steps) {
    if (step.kind == StepKind::kRestore) pulled[step.id] = step.version;
  }
  for (const mirror::Step& step : merge.pull.steps) {
    // Damaged everywhere: promoting does not make it worse.
    if (step.kind != StepKind::kAlarm || step.node.empty()) continue;
    const auto whole = pulled.find(step.id);
    if (whole != pulled.end() && whole->second >= step.version) continue;
    merge.ambiguous.insert(fmt::format("{} on {}: {}", step.name, step.node, step.reason));
  }
  std::erase_if(merge.pull.steps,
                [](const mirror::Step& step) { return step.kind != StepKind::kRestore; });
  return merge;
}

}  // namespace hsmops::manager
