// Gatekeeper: whether this member may write now, and who has to hold a write before it is
// acknowledged (protocol.md, 3).
//
// Knows nothing of the token and waits for nobody, so that a grant is renewed while the token is
// busy. Nothing here outlives the process: what has to is in the ledger. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/base/rng.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/store/ledger.h"

namespace hsmops::agent {

inline constexpr std::size_t kMaxNonces = 64;
inline constexpr std::size_t kMaxPrepared = 16;

// What a write goes by.
struct Reach {
  store::Epoch epoch;
  std::uint64_t generation = 0;
  std::vector<mirror::SyncRule> rules;  // the grant's first, then what is prepared; all hold
  mirror::PeerAddresses peers;          // of every member of any of the rules
  std::uint64_t max_object_bytes = 0;   // that every member takes
};

class Gatekeeper {
 public:
  // What the ledger says now. A higher epoch, or the loss of the role, ends the grant.
  void Follow(const store::LedgerState& state);

  std::uint64_t IssueNonce(base::Rng& rng, base::TimePoint now);

  // kInvalid: the nonce is not of this run or was used, or the duration is out of range.
  // kStaleEpoch: an epoch or generation below what this member has seen. kReadOnly: quiesced.
  base::Result<void> Check(const mirror::Grant& grant, base::TimePoint now) const;
  // Whether this grant changes nothing that has to be remembered: a renewal.
  bool Renews(const mirror::Grant& grant) const;
  // Takes it, after Check and after what has to be remembered is. Ends what was prepared under a
  // lower generation. False: the nonce is gone or the epoch is over by now.
  bool Accept(const mirror::Grant& grant, base::TimePoint now);
  void Close();
  // What a grant that outlives its process would be: only a mutant does this.
  void Resume(base::TimePoint now);
  // Closes it, and takes no grant of this epoch before `until`.
  void Quiesce(base::TimePoint until);

  // protocol.md, 3: role Primary, grant epoch = highest epoch, now < deadline - guard.
  base::Result<void> Gate(base::TimePoint now) const;
  // The grant that is held; nullopt without one, whether or not its time is over.
  std::optional<Reach> Reaches() const;
  // The epoch in which its role is the Primary's; nullopt when it is not.
  bool primary() const;
  store::Term term() const;
  // Of the same state: the term if it is of this member of this pool, as ToldOf.
  base::Result<store::Term> Told(const store::Uid& pool, const store::Uid& member) const;

  // The first step of a change of S, k or D: from now on only what satisfies this too is
  // acknowledged, until a grant of a generation above `term`'s. kStaleEpoch: the term is not that
  // of the grant or, without one, below what was seen. kLimit: too many.
  base::Result<void> Prepare(const store::Term& term, const mirror::SyncRule& rule,
                             const mirror::PeerAddresses& peers);
  // Takes one such step back, when it was answered with an error: nobody goes on from it.
  void Unprepare(const store::Term& term, const mirror::SyncRule& rule);

  // W8: why these confirmations are too few for what holds now; empty: they are enough.
  std::string WhyNotEnough(const std::set<store::Uid>& confirmed) const;

 private:
  struct Granted {
    mirror::Grant grant;
    base::TimePoint deadline;  // the guard is taken off already
  };
  struct Prepared {
    std::uint64_t generation = 0;
    mirror::SyncRule rule;
    mirror::PeerAddresses peers;
    unsigned count = 0;  // of equal steps that were not taken back
  };
  base::Result<void> CheckEpoch(const store::Epoch& epoch) const;
  std::vector<mirror::SyncRule> Rules() const;

  mutable std::mutex mutex_;
  store::Term term_;   // the highest seen
  store::Uid pool_{};  // whose ledger that is
  store::Uid member_{};
  bool primary_ = false;
  std::map<std::uint64_t, base::TimePoint> nonces_;  // of this run, with when each was issued
  std::optional<Granted> granted_;
  base::TimePoint quiesced_until_{};
  std::vector<Prepared> prepared_;  // in epoch term_.epoch
};

// kNotFound: a ledger of no pool, or of another.
base::Error ToldNothing();

// kStaleEpoch unless `epoch` may follow `highest`: above it, or the very same.
base::Result<void> CheckNotStale(const store::Epoch& epoch, const store::Epoch& highest);

}  // namespace hsmops::agent
