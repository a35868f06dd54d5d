#include "libhsmops/mirror/replicated_write.h"

#include "libhsmops/mirror/replicated_batch.h"

namespace hsmops::mirror {

using base::Result;

namespace {

// W7. The nodes that could not be reached, or whose answer was lost.
std::set<std::string> Confirm(ReplicatedBatch& batch, const SyncSet& sync_set,
                              const store::Term& sender, base::Executor& executor) {
  std::vector<MirrorAnswer> answers;
  for (const auto& [node, mirror] : sync_set.mirrors) answers.push_back({node, mirror.uid});
  std::vector<base::Executor::Task> tasks;
  for (MirrorAnswer& answer : answers) {
    tasks.push_back([&, member = sync_set.mirrors.at(answer.node).member] {
      answer.applied = [&]() -> Result<std::vector<Result<store::Applied>>> {
        HSM_TRY(const std::uint64_t era, member->Era());
        return member->Apply(sender, era, batch.Records());
      }();
    });
  }
  executor.RunAll(std::move(tasks));
  std::set<std::string> silent;
  for (const MirrorAnswer& answer : answers) {
    if (answer.silent()) silent.insert(answer.node);
    batch.Take(answer);
  }
  return silent;
}

}  // namespace

std::vector<Result<Acknowledged>> ReplicatedWrite(
    const std::string& primary_node, Member& primary, const SyncSet& sync_set,
    const store::Term& sender, std::uint64_t max_object_bytes, std::vector<store::Write> writes,
    base::Executor& executor, std::set<std::string>* silent) {
  ReplicatedBatch batch =
      ReplicatedBatch::Stage(primary_node, primary, max_object_bytes, std::move(writes));
  if (batch.settled()) return batch.TakeResults();
  std::set<std::string> without_answer = Confirm(batch, sync_set, sender, executor);
  if (silent != nullptr) *silent = std::move(without_answer);
  batch.Settle(primary.Acknowledge(batch.Confirmations()));
  return batch.TakeResults();
}

}  // namespace hsmops::mirror
