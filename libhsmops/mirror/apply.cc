#include "libhsmops/mirror/apply.h"

#include <algorithm>
#include <optional>
#include <set>

namespace hsmops::mirror {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr int kMostUnrestored = 3;

bool IsNoAnswer(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kInDoubt;
}

// What the copies of one batch need from the source.
struct Batch {
  std::vector<store::Id> ids;
  std::map<std::string, std::vector<const Step*>> by_node;
  std::map<store::Id, Result<store::Record>> records;
  bool unanswered = false;  // what was asked of the source
};

// A whole request's, not this step's alone.
StepError FailedRequest(const Step& step, const Error& error, bool of_source = false) {
  return {step, error, of_source, IsNoAnswer(error)};
}

std::vector<Batch> MakeBatches(const std::vector<const Step*>& copies) {
  std::vector<Batch> batches;
  std::size_t bytes = 0;
  std::set<store::Id> seen;
  for (const Step* step : copies) {
    const bool fresh = !seen.contains(step->id);
    if (batches.empty() || (fresh && (batches.back().ids.size() >= kBatchSecrets ||
                                      bytes + step->bytes > kBatchBytes))) {
      batches.emplace_back();
      bytes = 0;
      seen.clear();
    }
    Batch& batch = batches.back();
    if (seen.insert(step->id).second) {
      batch.ids.push_back(step->id);
      bytes += step->bytes;
    }
    batch.by_node[step->node].push_back(step);
  }
  return batches;
}

void ReadBatch(Batch& batch, Member& source) {
  auto read = source.ReadRecords(batch.ids);
  batch.unanswered = !read.ok() && IsNoAnswer(read.error());
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    if (!read.ok()) {
      batch.records.emplace(batch.ids[i], read.error());
    } else if (i >= read->size()) {
      batch.records.emplace(
          batch.ids[i],
          Error(ErrorCode::kInternal, "the source answered fewer records than asked for"));
    } else {
      batch.records.emplace(batch.ids[i], std::move((*read)[i]));
    }
  }
}

struct NodeOutcome {
  std::uint64_t done = 0;
  std::vector<StepError> failed;
};

NodeOutcome WriteBatch(const Batch& batch, const std::vector<const Step*>& steps, Member& member,
                       const store::Term& sender) {
  NodeOutcome outcome;
  std::vector<store::Record> records;
  std::vector<const Step*> sent;
  for (const Step* step : steps) {
    const auto& record = batch.records.at(step->id);
    if (!record.ok()) {
      outcome.failed.push_back(
          {*step, record.error().Within("reading from the source"), true, batch.unanswered});
      continue;
    }
    records.push_back(record->Clone());
    sent.push_back(step);
  }
  if (records.empty()) return outcome;
  auto applied = member.Apply(sender, sent.front()->era, std::move(records));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (!applied.ok()) {
      outcome.failed.push_back(FailedRequest(*sent[i], applied.error()));
    } else if (i >= applied->size()) {
      outcome.failed.push_back(
          {*sent[i], Error(ErrorCode::kInternal, "no answer for this record")});
    } else if (!(*applied)[i].ok()) {
      outcome.failed.push_back({*sent[i], (*applied)[i].error()});
    } else {
      ++outcome.done;
    }
  }
  return outcome;
}

class Run {
 public:
  Run(const SyncPlan& plan, Member& source, const std::map<std::string, Member*>& members,
      const store::Term& sender, base::Executor& executor, const Progress& progress,
      const GoOn& go_on)
      : plan_(plan),
        source_(source),
        members_(members),
        sender_(sender),
        executor_(executor),
        progress_(progress),
        go_on_(go_on) {}

  ApplyReport Go() {
    Restore();
    Quarantine();
    Copy();
    return std::move(report_);
  }

 private:
  std::vector<const Step*> Steps(Step::Kind kind) const {
    std::vector<const Step*> steps;
    for (const Step& step : plan_.steps) {
      if (step.kind == kind) steps.push_back(&step);
    }
    return steps;
  }

  void Count(std::uint64_t more) {
    done_ += more;
    if (progress_) progress_(done_, plan_.steps.size());
  }

  void Restore() {
    for (const Step* step : Steps(Step::Kind::kRestore)) {
      if (PassesOver(step->node) || RestoresNoMore(step->node)) continue;
      if (auto failed = RestoreOne(*step)) {
        FailRestore(*std::move(failed));
      } else {
        ++report_.restored;
      }
      Count(1);
    }
    for (const Step* step : Steps(Step::Kind::kAlarm)) {
      report_.alarms.push_back(*step);
      Count(1);
    }
  }

  std::optional<StepError> RestoreOne(const Step& step) {
    const Error no_answer(ErrorCode::kInternal, "no answer for this record");
    auto records = members_.at(step.node)->ReadRecords({step.id});
    if (!records.ok()) return FailedRequest(step, records.error());
    if (records->size() != 1) return StepError{step, no_answer};
    if (!(*records)[0].ok()) return StepError{step, (*records)[0].error()};
    std::vector<store::Record> one;
    one.push_back(*std::move((*records)[0]));
    const auto applied = source_.Apply(sender_, step.era, std::move(one));
    if (!applied.ok()) return FailedRequest(step, applied.error(), true);
    if (applied->size() != 1) return StepError{step, no_answer, true};
    if (!(*applied)[0].ok()) return StepError{step, (*applied)[0].error(), true};
    return std::nullopt;
  }

  void Quarantine() {
    std::map<std::string, std::vector<const Step*>> by_node;
    for (const Step* step : Steps(Step::Kind::kQuarantine)) by_node[step->node].push_back(step);
    for (const auto& [node, steps] : by_node) {
      if (PassesOver(node)) continue;
      std::vector<store::IdVersion> versions;
      for (const Step* step : steps) versions.push_back({step->id, step->version});
      auto done = members_.at(node)->Quarantine(sender_, versions);
      for (const Step* step : steps) {
        if (!done.ok()) FailAndLeave(FailedRequest(*step, done.error()));
      }
      if (done.ok()) report_.quarantined += steps.size();
      Count(steps.size());
    }
  }

  void Copy() {
    std::vector<const Step*> copies = Steps(Step::Kind::kCopy);
    std::stable_sort(copies.begin(), copies.end(),
                     [](const Step* a, const Step* b) { return a->id < b->id; });
    std::vector<Batch> batches = MakeBatches(copies);
    if (batches.empty() || CutsShort()) return;
    ReadBatch(batches[0], source_);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (i > 0 && CutsShort()) return;
      CopyBatch(batches[i], i + 1 < batches.size() ? &batches[i + 1] : nullptr);
    }
  }

  // And reads the next one.
  void CopyBatch(Batch& batch, Batch* next) {
    std::map<std::string, NodeOutcome> outcomes;
    std::vector<base::Executor::Task> tasks;
    std::uint64_t steps_done = 0;
    for (const auto& [node, steps] : batch.by_node) {
      if (IsGone(node)) continue;
      steps_done += steps.size();
      tasks.push_back([&, this, &outcome = outcomes[node], member = members_.at(node),
                       &to_do = steps] { outcome = WriteBatch(batch, to_do, *member, sender_); });
    }
    if (next != nullptr) tasks.push_back([this, next] { ReadBatch(*next, source_); });
    executor_.RunAll(std::move(tasks));
    for (auto& [node, outcome] : outcomes) {
      report_.copied += outcome.done;
      for (StepError& error : outcome.failed) {
        error.unanswered = error.unanswered || (outcome.done == 0 && IsNoAnswer(error.error));
        FailAndLeave(std::move(error));
      }
    }
    batch.records.clear();
    Count(steps_done);
  }

  void Fail(StepError failed) { report_.failed.push_back(std::move(failed)); }

  // Who does not answer, or has nothing of a batch, would take its time again and again, and a
  // share of time be over before the others have had theirs.
  void FailAndLeave(StepError failed) {
    if (go_on_ && failed.unanswered && failed.of_source) source_gone_ = true;
    if (go_on_ && failed.unanswered && !failed.of_source) gone_.insert(failed.step.node);
    Fail(std::move(failed));
  }

  // The same of restores alone, so that one that a token does not give or take keeps nobody from
  // being copied to: each may cost as long as it has for a call, so some are tried.
  void FailRestore(StepError failed) {
    int& failures = unrestored_[failed.of_source ? std::string() : failed.step.node];
    if (go_on_ && IsNoAnswer(failed.error)) failures += failed.unanswered ? kMostUnrestored : 1;
    Fail(std::move(failed));
  }
  bool RestoresNoMore(const std::string& node) {
    const bool no_more = unrestored_[node] >= kMostUnrestored || unrestored_[""] >= kMostUnrestored;
    report_.cut_short = report_.cut_short || no_more;
    return no_more;
  }

  // Not before something was done: what is refused, or not answered, would come first again.
  bool CutsShort() {
    const bool done = report_.copied + report_.restored + report_.quarantined > 0;
    const bool over = go_on_ && (source_gone_ || (done && !go_on_()));
    report_.cut_short = report_.cut_short || over;
    return over;
  }
  bool IsGone(const std::string& node) {
    const bool gone = gone_.contains(node);
    report_.cut_short = report_.cut_short || gone;
    return gone;
  }
  bool PassesOver(const std::string& node) { return IsGone(node) || CutsShort(); }

  const SyncPlan& plan_;
  Member& source_;
  const std::map<std::string, Member*>& members_;
  store::Term sender_;
  base::Executor& executor_;
  const Progress& progress_;
  const GoOn& go_on_;
  std::map<std::string, int> unrestored_;  // by the node that failed; "" for the source
  bool source_gone_ = false;
  std::set<std::string> gone_;
  ApplyReport report_;
  std::uint64_t done_ = 0;
};

}  // namespace

ApplyReport Apply(const SyncPlan& plan, Member& source,
                  const std::map<std::string, Member*>& members, const store::Term& sender,
                  base::Executor& executor, const Progress& progress, const GoOn& go_on) {
  return Run(plan, source, members, sender, executor, progress, go_on).Go();
}

}  // namespace hsmops::mirror
