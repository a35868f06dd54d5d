// Ledger: what this member has promised, in a file with fsync beside its token.
//
// For each name the highest version it has acknowledged or confirmed, and the highest epoch,
// generation and lsn it has seen. A token that answers with less than the ledger says has lost
// something, and the store answers Damaged instead of the older value (protocol.md, 1 and 3). The
// file is a log of checksummed entries; a torn last entry is one whose promise was never given, and
// is cut off. Not thread-safe. One process at a time: the token's host lock sees to that.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libhsmops/base/file.h"
#include "libhsmops/store/secret.h"

namespace hsmops::store {

struct LedgerState {
  Uid pool{};
  Uid member{};
  std::string serial;
  Epoch epoch;                   // the highest seen
  std::uint64_t generation = 0;  // the highest generation of a grant seen
  std::uint64_t lsn = 0;         // the highest lsn seen
  bool primary = false;          // role in `epoch`
  std::optional<Epoch>
      frozen;         // as the target of a promotion to this epoch: pulls nothing more at it
  Version collected;  // the highest of a tombstone that was collected here; zero: none
  bool operator==(const LedgerState&) const = default;
};

class Ledger {
 public:
  // Reads the file if there is one. kCorrupt: it is there but its beginning does not parse;
  // kInvalid when it is of another format.
  static base::Result<Ledger> Open(std::string path);
  // Without a file, for tests and the simulator: lives as long as the object.
  static Ledger InMemory() { return Ledger(std::string()); }
  // One of those as it is now: what the next process finds when this one is killed here.
  Ledger InMemoryCopy() const;

  const LedgerState& state() const { return state_; }
  // nullopt: nothing promised under this id.
  std::optional<Version> Promised(const Id& id) const;
  const std::map<Id, Version>& promises() const { return promises_; }
  bool empty() const { return state_ == LedgerState{} && promises_.empty(); }
  // A wipe of the token was begun and its end has not been seen.
  bool wiping() const { return wiping_; }

  // Each is on stable storage when it returns ok; on an error nothing is promised.
  base::Result<void> SetState(const LedgerState& state);
  base::Result<void> Promise(const std::vector<IdVersion>& versions);
  // The names are gone for good (collected tombstones).
  base::Result<void> Forget(const std::vector<Id>& ids);
  base::Result<void> SetWiping(bool wiping);
  // Begins anew with this state: for a member that is initialised again. A wipe stays begun.
  base::Result<void> Reset(const LedgerState& state);

 private:
  explicit Ledger(std::string path) : path_(std::move(path)) {}
  base::Result<void> Replay(base::ByteView log);
  base::Result<void> Append(base::ByteView entries, std::size_t count);
  base::Result<void> Rewrite();
  base::Result<void> Reopen();
  bool Long() const;

  std::string path_;
  base::Fd fd_;
  LedgerState state_;
  std::map<Id, Version> promises_;
  bool wiping_ = false;
  std::size_t log_bytes_ = 0;
  std::size_t written_entries_ = 0;
};

}  // namespace hsmops::store
