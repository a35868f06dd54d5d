// SecretStore: named secrets on one Token, each with a version.
//
// Writes never pass through a state in which the secret is absent; a crash at any call leaves the
// old or the new version, never neither and never a mix (Invariant A of protocol.md, 1). Reads
// answer the greatest version that is whole, or Damaged (kCorrupt); an error is never read as
// "absent".
//
// Does not decide who may write: `gate` does (protocol.md, 3). Not thread-safe. Token, ledger,
// clock and rng must outlive it. After any error that ended the token's view the next call begins a
// new one.
#pragma once

#include <bitset>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/store/index.h"
#include "libhsmops/store/inventory.h"
#include "libhsmops/store/ledger.h"
#include "libhsmops/store/legacy_layout.h"
#include "libhsmops/store/record.h"
#include "libhsmops/store/secret.h"
#include "libhsmops/token/token.h"

namespace hsmops::store {

// What the token is to this pool. Only a kMember is read from, written to, promoted or a source.
enum class Standing : std::uint8_t {
  kUnknown,  // not looked yet
  kMember,   // its EPOCH names this pool, this member and this token
  kBlank,    // nothing of ours on it, and nothing was ever promised: may be initialised
  kEmptied,  // it was a member and its EPOCH is gone: a failed member, until reinit
  kForeign,  // its EPOCH names another pool, member or token
};
std::string_view Name(Standing standing);

struct Write {
  SecretName name;
  Keys keys{};
  bool remove = false;  // a tombstone; keys must be empty
  bool merge = false;   // keys not named keep their values
  OpId op_id{};
  std::optional<Expectation> expect{};
  // Only if its opId is among those that the secret remembers: it is asked too late to be done now.
  // kConflict otherwise.
  bool only_repeat = false;
  // Nothing is written: the newest version, which has to be this one (kConflict), is only to be
  // acknowledged. Without keys.
  std::optional<Version> settles{};
  Write Clone() const;
};

// A write that is durable on this token, not yet acknowledged.
struct Staged {
  Id id{};
  Version version;
  base::Digest digest{};
  Record record;          // for the mirrors, byte for byte
  bool repeated = false;  // its opId was there already; nothing was written now
};

enum class Applied : std::uint8_t {
  kWritten,
  kEqual,       // this version with this digest was there
  kSuperseded,  // a greater version is there
};

struct CollectReport {
  std::uint64_t destroyed = 0;
  bool more = false;  // something is left for the next time
};

struct VerifyReport {
  std::uint64_t secrets = 0;
  std::uint64_t bytes = 0;
  std::vector<Id> damaged;
};

// A verification under way, of the store that began it.
struct Verification {
  std::vector<Id> ids;            // what was there at its begin, in order
  std::size_t next = 0;           // the first that was not looked at
  std::uint64_t initialised = 0;  // how often this store had initialised its token by then
  VerifyReport report;
};

// Asked right before the commit point; an error refuses the write and is its error.
using Gate = std::function<base::Result<void>()>;

class SecretStore {
 public:
  SecretStore(token::Token& token, Ledger& ledger, base::Clock& clock, base::Rng& rng);

  // Begins a view and finds out what the token is. Everything valid on a member's token the first
  // time counts as acknowledged from here on (protocol.md, 3); what this object writes later, only
  // by Promise. Deletes nothing.
  base::Result<Standing> Open(const Uid& pool, const Uid& member);
  Standing standing() const { return standing_; }
  // False: the next call begins a new view first, so what is known now is of an older one.
  bool current() const { return !stale_ && !token_.view_lost(); }
  // One sentence for people when the standing is not kMember.
  const std::string& standing_reason() const { return standing_reason_; }

  // Makes a blank token a member. With `wipe` also one that was this member: every object of ours
  // but the quarantine is destroyed first, the EPOCH before all. kConflict: not blank and not
  // `wipe`. kReadOnly: another pool, member or token wrote it, and nothing was touched.
  base::Result<void> Initialize(const Uid& pool, const Uid& member, const Term& term, bool wipe);

  // nullopt: looked, and there is none (or it is deleted). kCorrupt: Damaged; an older version may
  // be there but is not what was acknowledged. kUnavailable: could not look.
  base::Result<std::optional<Secret>> Read(const SecretName& name);
  // The record of the newest version, as the mirrors want it. kNotFound: no such id.
  base::Result<Record> ReadRecord(const Id& id);
  // The digest is kept up to date with every change; with a warm index it costs one hash of 8 KiB.
  base::Result<InventoryDigest> Digest();
  // How many there are of each kind, without listing them.
  base::Result<Counts> Count();
  // Items of the buckets whose bit is set; all of them by default. Quarantine and legacy always.
  base::Result<Inventory> ReadInventory(
      const std::bitset<kBuckets>& buckets = std::bitset<kBuckets>().set());

  // W0 to W6 of protocol.md, 1, for a batch with one write a name: on return the ok ones are
  // durable here. Errors: kConflict (expect), kNotFound (removing what is not there), kLimit,
  // kInvalid, kCorrupt (the current version is damaged), kUnavailable (not written), kInDoubt (may
  // be written: the same opId again settles it), or the gate's.
  std::vector<base::Result<Staged>> Stage(std::vector<Write> writes, const Epoch& epoch,
                                          std::size_t max_object_bytes, const Gate& gate);
  // W3 to W6 for records from the Primary. kConflict: the same version with another digest.
  // With `promise` what is confirmed here counts as acknowledged from then on.
  std::vector<base::Result<Applied>> Apply(std::vector<Record> records, const Gate& gate,
                                           bool promise = true);
  // Records the promise, with fsync. Every version must be on the token.
  base::Result<void> Promise(const std::vector<IdVersion>& versions);

  const LedgerState& state() const { return ledger_.state(); }
  // The highest lsn that any trace of this pool on this member shows.
  std::uint64_t HighestLsn() const;
  // Persists epoch, generation, role and frozen target: the file first, then the EPOCH object if
  // the epoch or role changed. Refuses to go back: kStaleEpoch.
  base::Result<void> SetState(LedgerState state);

  // W9: destroys what a fresh view has shown to be superseded, while `go_on` says so.
  base::Result<CollectReport> Collect(const std::function<bool()>& go_on);
  // Destroys tombstones that every member has, exactly these versions, and what they stand on.
  base::Result<std::uint64_t> CollectTombstones(const std::vector<IdVersion>& tombstones);

  // Sets versions aside under a quarantine label: copy, prove, then destroy the head. Never merged,
  // never overwritten. What stood below them is the newest again, unless it was promised away.
  base::Result<void> Quarantine(const std::vector<IdVersion>& versions);
  base::Result<Secret> ReadQuarantined(const IdVersion& version);
  // kNotFound: it is not in quarantine. kInDoubt: it may be gone, which the inventory says.
  base::Result<void> DiscardQuarantined(const IdVersion& version);

  // The newest version of every secret is read and hashed, head and parts, in a view that began
  // after this was asked for. Any error ends it, and then nothing is known.
  base::Result<VerifyReport> Verify();
  // The same in pieces, and between two of them whatever else is asked for. What goes meanwhile is
  // left out; what comes was not there at the begin; what changes is read as it is then.
  base::Result<Verification> BeginVerify();
  // Looks at one secret, and at more while `go_on` says so. True: the report is whole.
  base::Result<bool> VerifyMore(Verification& verification, const std::function<bool()>& go_on);

  // Legacy secrets that our records have superseded are destroyed by Collect. kNotFound: none
  // there.
  base::Result<Keys> ReadLegacy(const std::string& name);

  const Index& index() const { return index_; }
  // The newest whole version of it, as the present view has it; nullptr: none. Errors: the view's.
  base::Result<const HeadRef*> Newest(const Id& id);
  token::Token& token() { return token_; }

 private:
  struct Pending {
    Id id{};
    Head head;
    Record record;
    Label::Kind kind = Label::Kind::kHead;
    bool begun = false;  // a HEAD create was called
    HeadRef ref;
    std::optional<base::Error> error;
  };

  base::Result<void> Ensure();
  base::Result<void> Reload(bool reread);
  base::Result<void> MayWipe() const;
  base::Result<void> RequireMember();
  base::Result<LegacyLayout*> Legacy();
  bool Superseded(const LegacyItem& item) const;  // by a record of ours
  void Classify();
  base::Result<void> PromiseWhatIsValid();
  std::optional<base::Error> Damage(const Id& id) const;
  const Entry* Lookup(const SecretName& name) const;
  base::Result<base::SecretBytes> ValueOf(token::ObjectHandle handle);
  base::Result<Record> ReadRecordOf(const HeadRef& head);
  void NoteDamage(const Id& id);
  void LookAgainAt(const Id& id);
  base::Result<void> VerifyOne(const Id& id, VerifyReport& report);
  base::Result<std::optional<Secret>> ReadNow(const SecretName& name);
  base::Result<Staged> StageAgain(const Write& write);
  // Where a barrier has failed, what was written before it may be in the page cache alone.
  base::Result<void> EnsureSynced();
  base::Result<void> Prepare(Write& write, const Epoch& epoch, std::size_t max_object_bytes,
                             Pending& pending, std::optional<Staged>& repeated);
  base::Result<void> AdmitRoom(const std::vector<Pending>& batch);
  void Commit(std::vector<Pending>& batch, const Gate& gate);
  std::optional<base::Error> CreateAll(std::vector<Pending>& batch, const Gate& gate);
  void Prove(std::vector<Pending>& batch, const base::Error& why_not);
  void CompareWithToken(Pending& p, const HeadRef& found);
  base::Result<void> WriteEpochObject();
  base::Result<std::uint64_t> DestroyHead(const Entry& entry, const HeadRef& head);
  base::Result<void> ConfirmOrphans();
  bool MayDestroyOrphans(const Id& id, const Entry& entry) const;
  base::Result<bool> CollectEntry(const Id& id, Entry& entry, CollectReport& report);
  void Touch(const Id& id) { dirty_.set(id[0]); }
  bool RoomIsTight() const;

  token::Token& token_;
  Ledger& ledger_;
  base::Clock& clock_;
  base::Rng& rng_;
  Uid pool_{};
  Uid member_{};
  std::string serial_;
  Standing standing_ = Standing::kUnknown;
  std::string standing_reason_;
  Index index_;
  std::optional<LegacyLayout> legacy_;
  std::bitset<kBuckets> dirty_;
  InventoryDigest digest_;
  std::set<IdVersion> confirmed_orphans_;
  std::uint64_t last_lsn_ = 0;     // the highest given out by this object
  std::uint64_t damage_view_ = 0;  // the view in which damage was last confirmed
  std::uint64_t initialised_ = 0;  // how often
  bool stale_ = true;              // the index must be built anew before it is believed
  bool may_have_ghosts_ = true;    // of creates that were refused or cut short
  bool unsynced_ = false;          // a barrier has failed, and none of everything came after it
  bool promised_at_open_ = false;  // what was valid at the first view counts as acknowledged
};

}  // namespace hsmops::store
