// Member: one node's store, wherever it is: in this process, in a child process, behind HTTPS.
//
// The requests are the same everywhere (protocol.md, 1 and 3). An implementation may be called from
// several threads; calls to one member are served one after the other. Errors beside those named:
// kUnavailable, the member could not be asked, which says nothing about what it holds; kInDoubt
// from Stage, the answer was lost after the request left.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/mirror/sync_rule.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::mirror {

// One rung of the probe ladder (health/probe.h).
struct ProbeStep {
  enum class Outcome : std::uint8_t { kPassed, kFailed, kSkipped };
  std::string name;  // "slot", "pin", "session", "random", "canary", "room"
  Outcome outcome = Outcome::kSkipped;
  std::string message;  // of a failure; what to do next is health's to say
  std::uint64_t microseconds = 0;
};

// What a member says of itself.
struct MemberStatus {
  store::Standing standing = store::Standing::kUnknown;
  std::string standing_reason;
  store::Uid pool{};
  store::Uid member{};
  token::Identity identity;
  std::string profile;
  std::uint64_t max_object_bytes = 0;
  token::PinState pin = token::PinState::kUnknown;
  std::optional<std::uint64_t> free_bytes;
  std::uint64_t free_objects = 0;
  store::Epoch epoch;  // the highest it has seen
  std::uint64_t generation = 0;
  bool primary = false;  // its role in that epoch
  bool gate_open = false;
  std::uint64_t lsn = 0;     // the highest it has seen
  store::Version collected;  // the highest of a tombstone that it has collected; zero: none
  std::optional<store::Epoch> frozen;
  std::optional<base::Digest> digest;  // unset: the store is not open, so it is unknown
  std::uint64_t secrets = 0;
  std::uint64_t damaged = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t legacy = 0;
  std::set<store::Uid> unreached;  // by a Primary: mirrors that did not answer it the last time
  std::uint64_t prepared = 0;      // on a Primary: changes of S that hold beside the grant's rule
  std::vector<ProbeStep> probe;

  // The first thing that is wrong with its token or its store, as one sentence; empty: nothing.
  std::string WhyUnhealthy() const;
};

// When a write was asked for, on the clock of the Primary that is to do it: a request that comes
// late, after its sender has given it up and sent it again, must not undo what was written since.
struct Stamp {
  std::uint64_t run = 0;  // of the process that gave it
  base::Duration at{0};   // since that host's boot
};

// What a member says at once, whatever its token is busy with.
struct Pulse {
  std::uint64_t nonce = 0;  // for a grant; stamped with the member's own clock
  Stamp stamp;              // for puts
  store::Term term;         // the highest it was told
  bool primary = false;     // its role in that epoch
  bool gate_open = false;
};

// What a manager relays after it has renewed R (protocol.md, 3). The deadline counts from the
// nonce.
struct Grant {
  std::uint64_t nonce = 0;
  store::Epoch epoch;
  std::uint64_t generation = 0;
  base::Duration duration{0};  // D
  std::optional<base::Digest>
      digest;  // of R, after a promotion: the gate opens only if it is its own
  SyncRule rule;
  PeerAddresses peers;                 // of the rule's members; empty: who asks reaches them
  std::uint64_t max_object_bytes = 0;  // that every member takes
};

// How long a stamp is good for. Every opId that was done in this time is remembered.
inline constexpr std::chrono::seconds kFreshStamp{10};
inline constexpr std::size_t kMaxPut = 256;  // writes in one

struct FenceAnswer {
  store::Epoch before;   // the highest epoch it had seen
  bool primary = false;  // its role in that epoch
  std::uint64_t lsn = 0;
  std::optional<base::Digest>
      digest;  // unset: its token cannot be read, so nobody can merge from it
};

// W8 asked for: a version on the Primary, and who else confirmed that it is there by its digest.
struct Confirmation {
  store::IdVersion what;
  std::set<store::Uid> by;
};

// A write that was acknowledged.
struct Acknowledged {
  store::Version version;
  std::vector<std::string> nodes;  // that hold it: the Primary first, then who confirmed
  bool repeated = false;           // the opId was there already
};

struct ReadResult {
  std::optional<store::Secret> secret;  // nullopt: looked, and there is none
  store::Version version;               // of the record, a tombstone's too; zero without one
};

class Member {
 public:
  virtual ~Member() = default;

  // `live`: climbs the probe ladder on the device; otherwise answers from what is known. Opens the
  // store if it can; never fails because the token does: that is in the answer.
  virtual base::Result<MemberStatus> Status(bool live) = 0;

  // The highest term that it was told, from what it remembers beside its token, which is not
  // touched. kNotFound: it remembers nothing of this pool.
  virtual base::Result<store::Term> Told() = 0;
  virtual base::Result<Pulse> TakePulse() = 0;
  // Of deletions, for Apply; whatever the token is busy with.
  virtual base::Result<std::uint64_t> Era() = 0;

  // kStaleEpoch: an epoch below its own, or the same counter with another nonce, or a lower
  // generation. kInvalid: a nonce of another run. kCorrupt: the digest in R is not its own.
  virtual base::Result<void> OpenGate(const Grant& grant) = 0;
  // The first step of a change of S, k or D under this term: from now on the Primary acknowledges
  // only what satisfies `rule` too, until a grant of a higher generation; and, where it reaches its
  // mirrors itself (`peers`), everything it has acknowledged satisfies it. kStaleEpoch: the term is
  // not that of its grant. kUnavailable: the members do not hold it; nothing was prepared.
  virtual base::Result<void> Prepare(const store::Term& term, const SyncRule& rule,
                                     const PeerAddresses& peers) = 0;
  // Persists the epoch and drops the grant. kStaleEpoch as above; an epoch it has seen is only
  // answered.
  virtual base::Result<FenceAnswer> Fence(const store::Term& term) = 0;
  // Closes the gate, for a planned promotion, and takes no grant of this epoch for so long, whoever
  // relays it. 0: takes them again.
  virtual base::Result<void> Quiesce(base::Duration limit) = 0;
  // As the target of a promotion to this epoch it takes no more records at it (persisted). Its
  // digest.
  virtual base::Result<base::Digest> Freeze(const store::Epoch& epoch) = 0;

  virtual base::Result<store::InventoryDigest> Digest() = 0;
  virtual base::Result<store::Inventory> ReadInventory(
      const std::bitset<store::kBuckets>& buckets) = 0;

  // `as_primary`: the gate is asked before and after, and nothing is answered when it is closed
  // (kReadOnly). Otherwise the answer is a mirror's: of some version, to be marked.
  virtual base::Result<ReadResult> Read(const store::SecretName& name, bool as_primary) = 0;
  // The newest records of these ids, in order, each kNotFound, kCorrupt or kUnavailable on its own.
  virtual base::Result<std::vector<base::Result<store::Record>>> ReadRecords(
      const std::vector<store::Id>& ids) = 0;
  virtual base::Result<store::Keys> ReadLegacy(const std::string& name) = 0;

  // W0 to W6 behind the gate; one result a write. `max_object_bytes`: what the other members take;
  // 0: not known, so its own.
  virtual base::Result<std::vector<base::Result<store::Staged>>> Stage(
      std::vector<store::Write> writes, std::uint64_t max_object_bytes) = 0;
  // W3 to W6 of the Primary's records. `sender`: its epoch is at least the member's own
  // (kStaleEpoch); its generation is kept if it is higher. `era`: this member's, as Era or an
  // inventory told it before these records were read where they come from, or while nobody could
  // supersede them. It changes when deletions are collected here, so that a copy that was under way
  // for long does not bring back what was deleted meanwhile: kConflict, and nothing was touched.
  virtual base::Result<std::vector<base::Result<store::Applied>>> Apply(
      const store::Term& sender, std::uint64_t era, std::vector<store::Record> records) = 0;
  // W8 on the Primary, one result each: the gate holds, as many members confirmed as the grant and
  // everything prepared want, and the promise is on stable storage; or an error, kInDoubt for too
  // few.
  virtual base::Result<std::vector<base::Result<void>>> Acknowledge(
      const std::vector<Confirmation>& confirmations) = 0;
  // W0 to W8 by a Primary that reaches its mirrors itself, one result a write, with the errors of
  // ReplicatedWrite. A write whose opId the secret remembers is only confirmed again, whenever; any
  // other is done while its stamp is fresh (kFreshStamp), and kConflict afterwards. kInvalid: this
  // member does not reach its mirrors.
  virtual base::Result<std::vector<base::Result<Acknowledged>>> Put(
      const Stamp& stamp, std::vector<store::Write> writes) = 0;

  virtual base::Result<store::VerifyReport> Verify() = 0;
  virtual base::Result<void> Quarantine(const store::Term& sender,
                                        const std::vector<store::IdVersion>& versions) = 0;
  virtual base::Result<store::Secret> ReadQuarantined(const store::IdVersion& version) = 0;
  virtual base::Result<void> DiscardQuarantined(const store::IdVersion& version) = 0;
  // W9 for at most `budget`.
  virtual base::Result<store::CollectReport> Collect(base::Duration budget) = 0;
  virtual base::Result<std::uint64_t> CollectTombstones(
      const store::Term& sender, const std::vector<store::IdVersion>& tombstones) = 0;
  // Makes it a member at this term; `wipe` as SecretStore::Initialize, and kStaleEpoch, with
  // nothing touched, under a term that is not above the one that it was told.
  virtual base::Result<void> Initialize(const store::Term& term, bool wipe) = 0;
};

}  // namespace hsmops::mirror
