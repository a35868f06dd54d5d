#include "libhsmops/mirror/replicated_write.h"

#include <fmt/format.h>

#include "libhsmops/base/mutant.h"

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
  std::set<store::Uid> confirmed;
  std::string missing;  // why each mirror did not confirm
};

// What one mirror answered to all of them.
struct Answer {
  std::string node;
  store::Uid uid{};
  Result<std::vector<Result<store::Applied>>> applied = Error(ErrorCode::kInternal, "not asked");

  // Why it did not confirm the write at this place; empty: it did.
  std::string WhyNot(std::size_t place) const {
    if (!applied.ok()) return applied.error().message();
    if (place >= applied->size()) return "no answer for this write";
    const Result<store::Applied>& one = (*applied)[place];
    if (!one.ok()) return one.error().message();
    return *one == store::Applied::kSuperseded ? "it has a greater version" : "";
  }
};

// W7. The nodes that could not be reached, or whose answer was lost.
std::set<std::string> Confirm(std::vector<Gathered>& gathered, const SyncSet& sync_set,
                              const store::Term& sender, base::Executor& executor) {
  std::vector<Answer> answers;
  for (const auto& [node, mirror] : sync_set.mirrors) answers.push_back({node, mirror.uid});
  std::vector<base::Executor::Task> tasks;
  for (Answer& answer : answers) {
    tasks.push_back([&, member = sync_set.mirrors.at(answer.node).member] {
      std::vector<store::Record> records;
      for (const Gathered& g : gathered) records.push_back(g.staged.record.Clone());
      answer.applied = member->Apply(sender, std::move(records));
    });
  }
  executor.RunAll(std::move(tasks));
  std::set<std::string> silent;
  for (const Answer& answer : answers) {
    if (answer.applied.Is(ErrorCode::kUnavailable) || answer.applied.Is(ErrorCode::kInDoubt))
      silent.insert(answer.node);
    for (std::size_t i = 0; i < gathered.size(); ++i) {
      Gathered& g = gathered[i];
      const std::string why = answer.WhyNot(i);
      if (why.empty()) {
        g.nodes.push_back(answer.node);
        g.confirmed.insert(answer.uid);
      } else {
        g.missing += fmt::format("{}{}: {}", g.missing.empty() ? "" : "; ", answer.node, why);
      }
    }
  }
  return silent;
}

// W8. The gate is asked once more, the confirmations are judged and the promise is made in one
// step, on the Primary.
void Settle(std::vector<Gathered>& gathered, const std::string& primary_node, Member& primary,
            std::vector<Result<Acknowledged>>& results) {
  std::vector<Confirmation> confirmations;
  for (const Gathered& g : gathered)
    confirmations.push_back({{g.staged.id, g.staged.version}, g.confirmed});
  const auto acknowledged = primary.Acknowledge(confirmations);
  for (std::size_t i = 0; i < gathered.size(); ++i) {
    Gathered& g = gathered[i];
    const Error* error = nullptr;
    if (!acknowledged.ok()) {
      error = &acknowledged.error();
    } else if (i >= acknowledged->size()) {
      static const Error kShort(ErrorCode::kInternal, "no answer for this write");
      error = &kShort;
    } else if (!(*acknowledged)[i].ok()) {
      error = &(*acknowledged)[i].error();
    }
    if (error == nullptr) {
      results[g.place] = Acknowledged{g.staged.version, std::move(g.nodes), g.staged.repeated};
      continue;
    }
    results[g.place] =
        Error(ErrorCode::kInDoubt,
              fmt::format("version {} is on {} and was not acknowledged: {}{}",
                          g.staged.version.ToString(), primary_node, error->message(),
                          g.missing.empty() ? "" : " (" + g.missing + ")"));
  }
}

}  // namespace

std::vector<Result<Acknowledged>> ReplicatedWrite(
    const std::string& primary_node, Member& primary, const SyncSet& sync_set,
    const store::Term& sender, std::uint64_t max_object_bytes, std::vector<store::Write> writes,
    base::Executor& executor, std::set<std::string>* silent) {
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
    } else if ((*staged)[i]->repeated && base::On(base::Mutant::kRepeatedUnconfirmed)) {
      results.emplace_back(Acknowledged{(*staged)[i]->version, {primary_node}, true});
    } else {
      results.emplace_back(Error(ErrorCode::kInternal, "not reached"));
      gathered.push_back({i, std::move(*(*staged)[i]), {primary_node}, {}, {}});
    }
  }
  if (gathered.empty()) return results;
  std::set<std::string> without_answer = Confirm(gathered, sync_set, sender, executor);
  if (silent != nullptr) *silent = std::move(without_answer);
  Settle(gathered, primary_node, primary, results);
  return results;
}

}  // namespace hsmops::mirror
