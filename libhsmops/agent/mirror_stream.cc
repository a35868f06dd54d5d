#include "libhsmops/agent/mirror_stream.h"

#include <algorithm>
#include <mutex>

namespace hsmops::agent {

using base::Error;
using base::ErrorCode;

namespace {

constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kLongestPause{4000};
constexpr int kEraTries = 3;  // deletions may be collected again meanwhile

bool Disjoint(const std::set<store::Id>& some, const std::set<store::Id>& others) {
  return std::none_of(others.begin(), others.end(),
                      [&](const store::Id& id) { return some.contains(id); });
}

}  // namespace

bool IsSilence(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kInDoubt ||
         error.code() == ErrorCode::kAuthFailed;
}

void MirrorStream::Answered() {
  pause_ = {};
  not_before_ = {};
}

void MirrorStream::Reach(const mirror::PeerAddress& address,
                         const std::function<std::unique_ptr<mirror::Member>()>& reach) {
  if (member_ && address_ == address) return;
  address_ = address;
  member_ = reach();
  Answered();
  era_.reset();
}

bool MirrorStream::Offer(const std::shared_ptr<Delivery>& delivery) {
  delivery->offered.insert(uid_);
  ++delivery->awaited;
  const std::size_t bytes = delivery->batch.bytes();
  const bool behind =
      queue_.size() >= kMaxBacklog || (!queue_.empty() && queued_bytes_ + bytes > kMaxBacklogBytes);
  if (behind || left_alone()) {
    GiveOne(*delivery, Error(ErrorCode::kUnavailable,
                             behind ? "it is too far behind"
                                    : "it did not answer and is left alone for a moment"));
    return false;
  }
  queue_.push_back({delivery, era_});
  queued_bytes_ += bytes;
  return !std::exchange(sending_, true);
}

bool MirrorStream::AskAgain() {
  if (!unreached() || sending_ || left_alone()) return false;
  return sending_ = true;
}

// One that is sent nothing would never be known to answer again.
void MirrorStream::Probe(std::unique_lock<base::Monitor>& lock) {
  const std::shared_ptr<mirror::Member> member = member_;
  lock.unlock();
  const auto era = member->Era();
  lock.lock();
  if (member != member_) return;
  if (era.ok()) {
    era_ = *era;
    Answered();
  } else {
    LeaveAlone(era.error());
  }
}

void MirrorStream::Send() {
  std::unique_lock lock(monitor_);
  if (queue_.empty()) Probe(lock);
  while (!queue_.empty()) {
    const std::vector<Item> items = TakeSome();
    under_way_ = items;
    const std::shared_ptr<mirror::Member> member = member_;
    std::optional<std::uint64_t> era = items.front().era;
    lock.unlock();
    const Answer answer = Ask(*member, items, era);
    lock.lock();
    era_ = member == member_ ? era : std::nullopt;
    under_way_.clear();
    if (answer.Is(ErrorCode::kConflict) && items.size() > 1) {
      OneByOne(items);
      continue;
    }
    Give(items, answer);
    monitor_.NotifyAll();
  }
  sending_ = false;
  monitor_.NotifyAll();
}

void MirrorStream::Supersede(const std::set<store::Id>& ids) {
  const auto mark = [&](const Item& item) {
    if (!Disjoint(item.delivery->batch.ids(), ids)) item.delivery->superseded = true;
  };
  std::for_each(queue_.begin(), queue_.end(), mark);
  std::for_each(under_way_.begin(), under_way_.end(), mark);
}

void MirrorStream::Close() {
  queue_.clear();
  queued_bytes_ = 0;
}

// The oldest, and those behind it that may go in the same request: each secret stands in it once.
std::vector<MirrorStream::Item> MirrorStream::TakeSome() {
  std::vector<Item> items;
  std::set<store::Id> ids;
  std::size_t records = 0;
  std::size_t bytes = 0;
  while (!queue_.empty()) {
    const Item& next = queue_.front();
    const Delivery& its = *next.delivery;
    if (!items.empty()) {
      const Item& first = items.front();
      if (!first.era || next.era != first.era || its.sender != first.delivery->sender ||
          records + its.batch.size() > mirror::kMaxPut ||
          bytes + its.batch.bytes() > kMaxBacklogBytes || !Disjoint(ids, its.batch.ids()))
        break;
    }
    records += its.batch.size();
    bytes += its.batch.bytes();
    ids.insert(its.batch.ids().begin(), its.batch.ids().end());
    queued_bytes_ -= its.batch.bytes();
    items.push_back(next);
    queue_.pop_front();
  }
  return items;
}

// While nothing has superseded a batch, an era that is told now is good for it; afterwards only one
// that was told before is. `era` is what is known in the end.
MirrorStream::Answer MirrorStream::Ask(mirror::Member& member, const std::vector<Item>& items,
                                       std::optional<std::uint64_t>& era) {
  const auto superseded = [&] {
    const std::lock_guard lock(monitor_);
    return std::any_of(items.begin(), items.end(),
                       [](const Item& item) { return item.delivery->superseded; });
  };
  for (int tries = 1;; ++tries) {
    if (!era) {
      const auto now = member.Era();
      if (!now.ok()) return now.error();
      era = *now;
      if (superseded()) return Error(ErrorCode::kConflict, "it was written again meanwhile");
    }
    std::vector<store::Record> records;
    for (const Item& item : items) {
      std::vector<store::Record> its = item.delivery->batch.Records();
      std::move(its.begin(), its.end(), std::back_inserter(records));
    }
    Answer answer = member.Apply(items.front().delivery->sender, *era, std::move(records));
    if (!answer.Is(ErrorCode::kConflict)) return answer;
    era.reset();
    if (items.size() > 1 || tries == kEraTries) return answer;
  }
}

// Some of them may still be sent under the era of now, and some may not.
void MirrorStream::OneByOne(const std::vector<Item>& items) {
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    queued_bytes_ += item->delivery->batch.bytes();
    queue_.push_front({item->delivery, std::nullopt});
  }
}

void MirrorStream::Give(const std::vector<Item>& items, const Answer& answer) {
  std::size_t next = 0;
  for (const Item& item : items) {
    if (!answer.ok()) {
      GiveOne(*item.delivery, answer.error());
      continue;
    }
    std::vector<base::Result<store::Applied>> its;
    for (std::size_t i = 0; i < item.delivery->batch.size() && next < answer->size(); ++i)
      its.push_back((*answer)[next++]);
    GiveOne(*item.delivery, std::move(its));
  }
  if (!answer.ok() && IsSilence(answer.error())) {
    LeaveAlone(answer.error());
  } else {
    Answered();
  }
}

void MirrorStream::GiveOne(Delivery& delivery, Answer answer) const {
  --delivery.awaited;
  delivery.batch.Take({address_.node, uid_, std::move(answer)});
}

// It is not waited for again at every batch; whoever leads the pool takes it out of S.
void MirrorStream::LeaveAlone(const Error& why) {
  pause_ = std::clamp<base::Duration>(pause_ * 2, kFirstPause, kLongestPause);
  not_before_ = clock_.Now() + pause_;
  for (const Item& item : queue_) GiveOne(*item.delivery, why);
  Close();
}

}  // namespace hsmops::agent
