// ReplicatingAgent: an Agent that reaches the other members itself, and so takes a write from W0 to
// W8 (protocol.md, 1 and 3).
//
// Puts that come at once share one batch (group commit). One batch, one step of a change of S or
// one settling at a time; the token is free for reads, fences and grants while mirrors are waited
// for. Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "libhsmops/agent/agent.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/compare.h"
#include "libhsmops/mirror/replicated_write.h"

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

  base::Result<std::vector<base::Result<mirror::Acknowledged>>> Put(
      const mirror::Stamp& stamp, std::vector<store::Write> writes) override;
  base::Result<void> Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers) override;
  base::Result<mirror::ReadResult> Read(const store::SecretName& name, bool as_primary) override;

 private:
  struct Ticket {
    mirror::Stamp stamp;
    std::vector<store::Write> writes;
    std::vector<base::Result<mirror::Acknowledged>> results;
    bool done = false;
  };
  struct Peer {
    mirror::PeerAddress address;
    std::unique_ptr<mirror::Member> member;
    base::Duration pause{0};       // after a failure it is left alone for so long,
    base::TimePoint not_before{};  // which is until then
  };
  class Turn;  // while it lives nobody else writes, prepares or settles

  std::vector<Ticket*> TakeBatch();
  void WriteBatch(const std::vector<Ticket*>& batch);
  bool TooLate(const mirror::Stamp& stamp, const store::OpId& id) const;
  void RememberDone(const std::vector<store::OpId>& ids,
                    const std::vector<base::Result<mirror::Acknowledged>>& results);
  std::vector<base::Result<mirror::Acknowledged>> Replicate(std::vector<store::Write> writes);
  Peer& PeerAt(const store::Uid& member, const mirror::PeerAddress& address);
  void Remember(const mirror::SyncSet& asked, const std::set<std::string>& silent);
  base::Result<void> Settle();
  // Everything on this token is held by as many members as each of the rules wants, after those
  // that lag a little were brought up to date; and by all of `newcomers`.
  base::Result<void> ProveHeld(const Reach& reach, const std::vector<mirror::SyncRule>& rules,
                               const std::set<store::Uid>& newcomers);

  const std::string node_;
  base::Executor& executor_;
  const Reacher reacher_;
  std::unique_ptr<base::Monitor> monitor_;  // of what follows
  std::deque<Ticket*> queue_;
  bool taken_ = false;                   // somebody has the turn
  std::optional<store::Epoch> settled_;  // in it all that is valid here is known to be held
  std::map<store::Uid, Peer> peers_;     // of whoever has the turn
  std::set<store::OpId> done_;           // lately; the same
  std::deque<std::pair<base::TimePoint, store::OpId>> done_in_order_;
};

}  // namespace hsmops::agent
