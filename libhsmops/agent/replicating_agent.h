// ReplicatingAgent: an Agent that reaches the other members itself, and so takes a write from W0 to
// W8 (protocol.md, 1 and 3).
//
// Puts that come at once share one batch (group commit), and the next batch is begun when enough
// members have confirmed this one; slower ones get it from their stream. One change of S or one
// settling at a time, which a batch that waits for its mirrors does not hold up; and the token is
// free for reads, fences and grants meanwhile. Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "libhsmops/agent/agent.h"
#include "libhsmops/agent/mirror_stream.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/compare.h"

namespace hsmops::agent {

inline constexpr std::size_t kMaxQueuedPuts = 1024;

class ReplicatingAgent : public Agent {
 public:
  // Another member, as this one reaches it.
  using Reacher = std::function<std::unique_ptr<mirror::Member>(
      const store::Uid& member, const mirror::PeerAddress& address)>;
  // All must outlive it.
  ReplicatingAgent(const store::Uid& pool, const store::Uid& member, std::string node,
                   token::Token& token, store::Ledger& ledger, base::Clock& clock, base::Rng& rng,
                   base::Executor& executor, Reacher reacher);
  // Waits for what is being sent. No call may be under way.
  ~ReplicatingAgent() override;

  base::Result<std::vector<base::Result<mirror::Acknowledged>>> Put(
      const mirror::Stamp& stamp, std::vector<store::Write> writes) override;
  base::Result<void> Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers) override;
  base::Result<mirror::ReadResult> Read(const store::SecretName& name, bool as_primary) override;
  base::Result<mirror::MemberStatus> Status(bool live) override;

  // From now on every new put is refused, and nothing of it is tried.
  void RefuseWrites();
  // Puts are in flight, or wait for their turn.
  bool Writes();

  // They also tell a batch that waits for its mirrors to look again at what it waits for.
  base::Result<void> OpenGate(const mirror::Grant& grant) override;
  base::Result<mirror::FenceAnswer> Fence(const store::Term& term) override;
  base::Result<void> Quiesce(base::Duration limit) override;

 private:
  struct Ticket {
    mirror::Stamp stamp;
    std::vector<store::Write> writes;
    std::vector<base::Result<mirror::Acknowledged>> results;
    bool done = false;
  };
  struct Holding {
    std::set<store::Uid> equal;
    std::set<store::Uid> all;    // hold all that is whole here
    std::set<store::Id> unread;  // damaged here, so that nobody can be said to hold them
    bool silent = false;         // somebody did not say what it holds
    std::string missing;         // who does not hold it, and why

    void Lacks(const std::string& node, const std::string& why) {
      missing += (missing.empty() ? "" : "; ") + node + why;
    }
  };
  struct Unsettled {
    base::TimePoint at;
    store::Epoch epoch;
    base::Error why;
  };
  // While it lives nobody else prepares or settles, and no batch is begun: one may wait for its
  // mirrors, and be acknowledged by what holds then.
  class Turn;

  std::vector<Ticket*> TakeBatch();
  void WriteBatch(const std::vector<Ticket*>& batch);
  bool TooLate(const mirror::Stamp& stamp, const store::OpId& id) const;
  // Without an opId: it settles another's.
  void RememberDone(const std::vector<std::optional<store::OpId>>& ids,
                    const std::vector<base::Result<mirror::Acknowledged>>& results);
  std::vector<base::Result<mirror::Acknowledged>> Replicate(std::vector<store::Write> writes);
  // Durability Strict: why no write could be acknowledged, so that none is tried. "": it could.
  std::string WhyStrictCannot(const Reach& reach);
  std::vector<base::Result<mirror::Acknowledged>> RefuseStrictly(
      const std::vector<store::Write>& writes, const std::string& why);
  void AwaitEnough(const std::shared_ptr<Delivery>& delivery);
  std::vector<MirrorStream*> OfferToAll(const std::shared_ptr<Delivery>& delivery);
  bool Enough(const std::vector<mirror::Confirmation>& confirmations);
  MirrorStream& StreamTo(const store::Uid& member, const mirror::PeerAddress& address);
  void LookAgain();
  // After those that lag a little were brought up to date.
  base::Result<Holding> WhoHolds(const Reach& reach, const std::vector<mirror::SyncRule>& rules);
  base::Error TooFewHold(const Holding& holding) const;
  // They answer, and lack little.
  base::Result<void> MeetNewcomers(const Reach& reach, const std::set<store::Uid>& newcomers);
  // As many members as the rule wants are equal to this one, and all of `newcomers`.
  base::Result<void> ProveHeld(const Reach& reach, const mirror::SyncRule& rule,
                               const std::set<store::Uid>& newcomers);
  bool Settled();
  // Of the epoch: what was valid here when it began.
  base::Result<void> Settle();
  base::Result<void> SettleHeld(const Reach& reach);
  // Of one name: what a put left in doubt.
  void SettleName(const store::SecretName& name);
  bool PassedOver(const store::Id& id);

  const std::string node_;
  base::Executor& executor_;
  const Reacher reacher_;
  std::unique_ptr<base::Monitor> monitor_;  // of what follows
  std::deque<Ticket*> queue_;
  bool writing_ = false;                                // a batch,
  bool waiting_ = false;                                // which only waits for its mirrors
  bool proving_ = false;                                // a Turn lives
  std::set<store::Id> in_flight_;                       // of the batch that is being written
  std::set<store::Id> settling_;                        // by a read
  std::map<store::Id, base::TimePoint> left_in_doubt_;  // when a read tried in vain
  std::set<store::Id> passed_over_;  // damaged when the epoch was settled, and not settled since
  bool ending_ = false;
  std::optional<store::Epoch> settled_;  // in it all that is valid here is known to be held
  std::optional<Unsettled> unsettled_;   // the last time that a read tried
  std::map<store::Uid, MirrorStream> streams_;
  std::set<store::OpId> done_;  // lately; of whoever writes
  std::deque<std::pair<base::TimePoint, store::OpId>> done_in_order_;
};

}  // namespace hsmops::agent
