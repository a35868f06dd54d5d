#include "libhsmops/mirror/replicated_write.h"

#include "libhsmops/mirror/replicated_batch.h"

namespace hsmops::mirror {

using base::Result;

namespace {

// W7.
void Confirm(ReplicatedBatch& batch, const SyncSet& sync_set, const store::Term& sender,
             base::Executor& executor) {
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
  for (const MirrorAnswer& answer : answers) batch.Take(answer);
}

}  // namespace

std::vector<Result<Acknowledged>> ReplicatedWrite(const std::string& primary_node, Member& primary,
                                                  const SyncSet& sync_set,
                                                  const store::Term& sender,
                                                  std::uint64_t max_object_bytes,
                                                  std::vector<store::Write> writes,
                                                  base::Executor& executor) {
  ReplicatedBatch batch =
      ReplicatedBatch::Stage(primary_node, primary, max_object_bytes, std::move(writes));
  if (batch.settled()) return batch.TakeResults();
  Confirm(batch, sync_set, sender, executor);
  batch.Settle(primary.Acknowledge(batch.Confirmations()));
  return batch.TakeResults();
}

}  // namespace hsmops::mirror
