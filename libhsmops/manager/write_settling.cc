#include "libhsmops/manager/write_settling.h"

#include <algorithm>

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::Acknowledged;

namespace {

constexpr std::chrono::milliseconds kBetweenRounds{200};

// What is known of each write of one request.
class Batch {
 public:
  explicit Batch(std::vector<store::Write> writes) : writes_(std::move(writes)) {
    results_.resize(writes_.size(), Error(ErrorCode::kUnavailable, "not tried"));
    final_.resize(writes_.size());
    doubtful_.resize(writes_.size());
  }

  const std::vector<store::Write>& writes() const { return writes_; }
  std::vector<Result<Acknowledged>> Take() { return std::move(results_); }
  bool Settled() const { return std::find(final_.begin(), final_.end(), false) == final_.end(); }
  bool InDoubt() const {
    return std::find(doubtful_.begin(), doubtful_.end(), true) != doubtful_.end();
  }

  void Heard(const Result<std::vector<Result<Acknowledged>>>& answer) {
    const bool whole = answer.ok() && answer->size() == writes_.size();
    const Error lost =
        answer.ok() ? Error(ErrorCode::kInDoubt, "fewer answers than writes") : answer.error();
    for (std::size_t i = 0; i < writes_.size(); ++i) {
      if (!final_[i]) Heard(i, whole ? (*answer)[i] : Result<Acknowledged>(lost));
    }
  }

 private:
  void Heard(std::size_t i, Result<Acknowledged> result) {
    if (result.ok()) {
      // By this very write, which was sent before and not heard of.
      if (doubtful_[i]) result->repeated = false;
      results_[i] = std::move(result);
      final_[i] = true;
      doubtful_[i] = false;
      return;
    }
    if (result.Is(ErrorCode::kInDoubt)) {
      doubtful_[i] = true;
      results_[i] = std::move(result);
    } else if (!doubtful_[i]) {
      final_[i] = !Passing(result.error().code());
      results_[i] = std::move(result);
    } else if (!Passing(result.error().code())) {
      // Nothing more can be learnt: it comes too late to be done, or is not remembered any more.
      final_[i] = true;
      doubtful_[i] = false;
      results_[i] = Error(ErrorCode::kInDoubt,
                          results_[i].error().message() + "; then: " + result.error().message());
    }
  }

  std::vector<store::Write> writes_;
  std::vector<Result<Acknowledged>> results_;
  std::vector<bool> final_;
  std::vector<bool> doubtful_;
};

}  // namespace

bool Passing(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kReadOnly;
}

std::vector<Result<Acknowledged>> SettleWrites(std::vector<store::Write> writes,
                                               const std::vector<SendWrites>& ways,
                                               base::Clock& clock, base::TimePoint deadline) {
  Batch batch(std::move(writes));
  while (true) {
    for (const SendWrites& send : ways) {
      batch.Heard(send(batch.writes()));
      if (batch.Settled() || clock.Now() >= deadline) return batch.Take();
    }
    if (!batch.InDoubt()) return batch.Take();
    clock.SleepFor(kBetweenRounds);
    if (clock.Now() >= deadline) return batch.Take();
  }
}

}  // namespace hsmops::manager
