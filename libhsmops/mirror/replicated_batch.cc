#include "libhsmops/mirror/replicated_batch.h"

#include <fmt/format.h>

#include "libhsmops/base/mutant.h"

namespace hsmops::mirror {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// Why it did not confirm the write at this place; empty: it did.
std::string WhyNotConfirmed(const MirrorAnswer& answer, std::size_t place) {
  if (!answer.applied.ok()) return answer.applied.error().message();
  if (place >= answer.applied->size()) return "no answer for this write";
  const Result<store::Applied>& one = (*answer.applied)[place];
  if (!one.ok()) return one.error().message();
  return *one == store::Applied::kSuperseded ? "it has a greater version" : "";
}

}  // namespace

ReplicatedBatch ReplicatedBatch::Stage(std::string primary_node, Member& primary,
                                       std::uint64_t max_object_bytes,
                                       std::vector<store::Write> writes) {
  ReplicatedBatch batch;
  batch.primary_node_ = std::move(primary_node);
  const std::size_t count = writes.size();
  auto staged = primary.Stage(std::move(writes), max_object_bytes);
  for (std::size_t i = 0; i < count; ++i) {
    if (!staged.ok()) {
      batch.results_.emplace_back(staged.error());
    } else if (i >= staged->size()) {
      batch.results_.emplace_back(
          Error(ErrorCode::kInDoubt, "the Primary answered fewer results than writes"));
    } else if (!(*staged)[i].ok()) {
      batch.results_.emplace_back((*staged)[i].error());
    } else if ((*staged)[i]->repeated && base::On(base::Mutant::kRepeatedUnconfirmed)) {
      batch.results_.emplace_back(Acknowledged{(*staged)[i]->version, {batch.primary_node_}, true});
    } else {
      batch.results_.emplace_back(Error(ErrorCode::kInDoubt, "not settled"));
      batch.ids_.insert((*staged)[i]->id);
      batch.gathered_.push_back(
          {i, std::move(*(*staged)[i]), {batch.primary_node_}, {}, {}, false});
    }
  }
  batch.open_ = batch.gathered_.size();
  return batch;
}

std::vector<store::Record> ReplicatedBatch::Records() const {
  std::vector<store::Record> records;
  records.reserve(gathered_.size());
  for (const Gathered& g : gathered_) records.push_back(g.staged.record.Clone());
  return records;
}

std::size_t ReplicatedBatch::bytes() const {
  std::size_t bytes = 0;
  for (const Gathered& g : gathered_) bytes += g.staged.record.bytes();
  return bytes;
}

void ReplicatedBatch::Take(const MirrorAnswer& answer) {
  for (std::size_t i = 0; i < gathered_.size(); ++i) {
    Gathered& g = gathered_[i];
    if (g.settled) continue;
    const std::string why = WhyNotConfirmed(answer, i);
    if (why.empty()) {
      g.nodes.push_back(answer.node);
      g.confirmed.insert(answer.uid);
    } else {
      g.missing += fmt::format("{}{}: {}", g.missing.empty() ? "" : "; ", answer.node, why);
    }
  }
}

std::vector<Confirmation> ReplicatedBatch::Confirmations() const {
  std::vector<Confirmation> confirmations;
  for (const Gathered& g : gathered_) {
    if (!g.settled) confirmations.push_back({{g.staged.id, g.staged.version}, g.confirmed});
  }
  return confirmations;
}

void ReplicatedBatch::Settle(const Result<std::vector<Result<void>>>& acknowledged) {
  std::size_t next = 0;
  for (Gathered& g : gathered_) {
    if (g.settled) continue;
    const std::size_t asked = next++;
    std::string why = "no answer for this write";
    if (!acknowledged.ok()) {
      why = acknowledged.error().message();
    } else if (asked < acknowledged->size()) {
      const Result<void>& one = (*acknowledged)[asked];
      if (one.ok()) {
        results_[g.place] = Acknowledged{g.staged.version, g.nodes, g.staged.repeated};
        g.settled = true;
        --open_;
        continue;
      }
      why = one.error().message();
    }
    results_[g.place] =
        Error(ErrorCode::kInDoubt, fmt::format("version {} is on {} and was not acknowledged: {}{}",
                                               g.staged.version.ToString(), primary_node_, why,
                                               g.missing.empty() ? "" : " (" + g.missing + ")"));
  }
}

std::vector<Result<Acknowledged>> ReplicatedBatch::TakeResults() {
  for (Gathered& g : gathered_) g.settled = true;  // what comes later is nobody's
  open_ = 0;
  return std::move(results_);
}

}  // namespace hsmops::mirror
