// MirrorStream: what a Primary has to send to one mirror, in order, one request at a time, whether
// or not anybody still waits for the answer (protocol.md, 1 and 3: W7).
//
// A write is acknowledged when enough members have confirmed it; who is slower gets it here all the
// same. One that falls too far behind, or does not answer, is left out: a sync brings it what it
// misses.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/monitor.h"
#include "libhsmops/mirror/replicated_batch.h"

namespace hsmops::agent {

inline constexpr std::size_t kMaxBacklog = 64;  // batches that one mirror is behind
inline constexpr std::size_t kMaxBacklogBytes = std::size_t{32} << 20;  // the same

// A batch on its way to the mirrors. Its records never change; the rest is the monitor's.
struct Delivery {
  mirror::ReplicatedBatch batch;
  store::Term sender;
  std::set<store::Uid> offered;  // to these streams
  std::size_t awaited = 0;       // streams that have not answered yet
  bool superseded = false;       // one of its secrets is written anew, or about to be
};

// What a mirror that does not answer makes of a request.
bool IsSilence(const base::Error& error);

// All but Send wants the monitor held by the caller.
class MirrorStream {
 public:
  // Both must outlive it.
  MirrorStream(const store::Uid& uid, base::Monitor& monitor, const base::Clock& clock)
      : uid_(uid), monitor_(monitor), clock_(clock) {}

  // The mirror as it is reached now. What is being sent by another way is sent to its end.
  void Reach(const mirror::PeerAddress& address,
             const std::function<std::unique_ptr<mirror::Member>()>& reach);
  std::shared_ptr<mirror::Member> member() const { return member_; }

  // It did not answer the last time that it was asked something.
  bool unreached() const { return pause_ > base::Duration(0); }
  // Whether it answers again is to be found out. True: as for Offer.
  [[nodiscard]] bool AskAgain();
  // It answered, by another way; or it did not, and is sent nothing for a moment.
  void Answered();
  void LeaveAlone(const base::Error& why);
  // Takes the batch, or answers at once that this mirror is left out. True: the caller has to run
  // Send, which nobody does yet.
  [[nodiscard]] bool Offer(const std::shared_ptr<Delivery>& delivery);
  // These secrets are about to be written again.
  void Supersede(const std::set<store::Id>& ids);
  // The sender: until nothing is left to be sent.
  void Send();
  // Forgets what waits. It is safe to destroy when no sender runs any more.
  void Close();
  bool sending() const { return sending_; }

 private:
  struct Item {
    std::shared_ptr<Delivery> delivery;
    // The mirror's, from before anything superseded the batch; nullopt: to be asked for.
    std::optional<std::uint64_t> era;
  };
  using Answer = base::Result<std::vector<base::Result<store::Applied>>>;

  void Probe(std::unique_lock<base::Monitor>& lock);
  std::vector<Item> TakeSome();
  Answer Ask(mirror::Member& member, const std::vector<Item>& items,
             std::optional<std::uint64_t>& era);
  void OneByOne(const std::vector<Item>& items);
  void Give(const std::vector<Item>& items, const Answer& answer);
  void GiveOne(Delivery& delivery, Answer answer) const;
  bool left_alone() const { return clock_.Now() < not_before_; }

  const store::Uid uid_;
  base::Monitor& monitor_;
  const base::Clock& clock_;
  mirror::PeerAddress address_;
  std::shared_ptr<mirror::Member> member_;
  std::deque<Item> queue_;
  std::vector<Item> under_way_;
  std::size_t queued_bytes_ = 0;
  bool sending_ = false;
  std::optional<std::uint64_t> era_;  // as the mirror said last
  base::Duration pause_{0};           // after a failure it is left alone for so long,
  base::TimePoint not_before_{};      // which is until then
};

}  // namespace hsmops::agent
