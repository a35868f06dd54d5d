#include "libhsmops/mirror/replicated_write.h"

#include <fmt/format.h>

namespace hsmops::mirror {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

// What each staged write gathered.
struct Gathered {
  std::size_t place = 0;
  store::Staged staged;
  std::vector<std::string> nodes;
  std::string missing;  // why each mirror did not confirm
};

void Confirm(std::vector<Gathered>& gathered, const SyncSet& sync_set, const store::Term& sender,
             base::Executor& executor) {
  struct Answer {
    std::string node;
    Result<std::vector<Result<store::Applied>>> applied = Error(ErrorCode::kInternal, "not asked");
  };
  std::vector<Answer> answers;
  for (const auto& [node, member] : sync_set.mirrors) answers.push_back({node});
  std::vector<base::Executor::Task> tasks;
  for (Answer& answer : answers) {
    tasks.push_back([&, member = sync_set.mirrors.at(answer.node)] {
      std::vector<store::Record> records;
      for (const Gathered& g : gathered) records.push_back(g.staged.record.Clone());
      answer.applied = member->Apply(sender, std::move(records));
    });
  }
  executor.RunAll(std::move(tasks));
  for (const Answer& answer : answers) {
    for (std::size_t i = 0; i < gathered.size(); ++i) {
      Gathered& g = gathered[i];
      const Error* error = nullptr;
      if (!answer.applied.ok()) {
        error = &answer.applied.error();
      } else if (i >= answer.applied->size()) {
        static const Error kShort(ErrorCode::kInternal, "no answer for this write");
        error = &kShort;
      } else if (!(*answer.applied)[i].ok()) {
        error = &(*answer.applied)[i].error();
      } else if (*(*answer.applied)[i] == store::Applied::kSuperseded) {
        static const Error kNewer(ErrorCode::kConflict, "it has a greater version");
        error = &kNewer;
      }
      if (error == nullptr) {
        g.nodes.push_back(answer.node);
      } else {
        g.missing +=
            fmt::format("{}{}: {}", g.missing.empty() ? "" : "; ", answer.node, error->message());
      }
    }
  }
}

}  // namespace

std::vector<Result<Acknowledged>> ReplicatedWrite(const std::string& primary_node, Member& primary,
                                                  const SyncSet& sync_set,
                                                  const store::Term& sender,
                                                  std::uint64_t max_object_bytes,
                                                  std::vector<store::Write> writes,
                                                  base::Executor& executor) {
  const std::size_t count = writes.size();
  auto staged = primary.Stage(std::move(writes), max_object_bytes);
  std::vector<Result<Acknowledged>> results;
  std::vector<Gathered> gathered;
  for (std::size_t i = 0; i < count; ++i) {
    if (!staged.ok()) {
      results.emplace_back(staged.error());
    } else if (i >= staged->size()) {
      results.emplace_back(
          Error(ErrorCode::kInDoubt, "the Primary answered fewer results than writes"));
    } else if (!(*staged)[i].ok()) {
      results.emplace_back((*staged)[i].error());
    } else {
      results.emplace_back(Error(ErrorCode::kInternal, "not reached"));
      gathered.push_back({i, std::move(*(*staged)[i]), {primary_node}, {}});
    }
  }
  if (gathered.empty()) return results;
  Confirm(gathered, sync_set, sender, executor);
  std::vector<store::IdVersion> enough;
  for (const Gathered& g : gathered) {
    if (g.nodes.size() - 1 >= sync_set.needed) enough.push_back({g.staged.id, g.staged.version});
  }
  // The gate is asked once more and the promise is made in one step, on the Primary.
  const Result<void> promised = enough.empty() ? Result<void>() : primary.Acknowledge(enough);
  for (Gathered& g : gathered) {
    const std::string version = g.staged.version.ToString();
    if (g.nodes.size() - 1 < sync_set.needed) {
      results[g.place] =
          Error(ErrorCode::kInDoubt,
                fmt::format("version {} is on {} and on {} of {} mirrors that must hold it ({})",
                            version, primary_node, g.nodes.size() - 1, sync_set.needed, g.missing));
    } else if (!promised.ok()) {
      results[g.place] = Error(
          ErrorCode::kInDoubt,
          fmt::format("version {} was not acknowledged: {}", version, promised.error().message()));
    } else {
      results[g.place] = Acknowledged{g.staged.version, std::move(g.nodes), g.staged.repeated};
    }
  }
  return results;
}

}  // namespace hsmops::mirror
