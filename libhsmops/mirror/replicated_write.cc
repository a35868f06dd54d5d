#include "libhsmops/mirror/replicated_write.h"

#include <map>

#include "libhsmops/mirror/replicated_batch.h"

namespace hsmops::mirror {

using base::Result;

namespace {

using Eras = std::map<std::string, Result<std::uint64_t>>;

// Asked before anything is staged: a mirror that has collected a deletion after that has another
// one, and takes no older record any more (docs/adr/0017).
Eras ErasOf(const SyncSet& sync_set, base::Executor& executor) {
  Eras eras;
  std::vector<base::Executor::Task> tasks;
  for (const auto& [node, mirror] : sync_set.mirrors) {
    Result<std::uint64_t>& era = eras.emplace(node, std::uint64_t{0}).first->second;
    tasks.push_back([&era, member = mirror.member] { era = member->Era(); });
  }
  executor.RunAll(std::move(tasks));
  return eras;
}

// W7.
void Confirm(ReplicatedBatch& batch, const SyncSet& sync_set, const Eras& eras,
             const store::Term& sender, base::Executor& executor) {
  std::vector<MirrorAnswer> answers;
  for (const auto& [node, mirror] : sync_set.mirrors) answers.push_back({node, mirror.uid});
  std::vector<base::Executor::Task> tasks;
  for (MirrorAnswer& answer : answers) {
    tasks.push_back([&, member = sync_set.mirrors.at(answer.node).member] {
      answer.applied = [&]() -> Result<std::vector<Result<store::Applied>>> {
        HSM_TRY(const std::uint64_t era, eras.at(answer.node));
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
  const Eras eras = ErasOf(sync_set, executor);
  ReplicatedBatch batch =
      ReplicatedBatch::Stage(primary_node, primary, max_object_bytes, std::move(writes));
  if (batch.settled()) return batch.TakeResults();
  Confirm(batch, sync_set, eras, sender, executor);
  batch.Settle(primary.Acknowledge(batch.Confirmations()));
  return batch.TakeResults();
}

}  // namespace hsmops::mirror
