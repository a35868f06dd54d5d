// The write path of SecretStore: W0 to W6 of protocol.md, 1.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::store {

using base::Error;
using base::ErrorCode;
using base::Result;
using token::ObjectHandle;

namespace {

std::vector<OpId> WithOpId(const OpId& newest, const std::vector<OpId>& before) {
  std::vector<OpId> ids{newest};
  ids.insert(ids.end(), before.begin(),
             before.begin() + static_cast<std::ptrdiff_t>(std::min(before.size(), kKeptOpIds - 1)));
  return ids;
}

Error NotWritten(const Error& why) {
  return {why.code() == ErrorCode::kLimit ? ErrorCode::kLimit : ErrorCode::kUnavailable,
          "not written: " + why.message()};
}

// The heads of this very version, whole or not.
std::vector<const HeadRef*> VersionsIn(const Index& index, const Id& id, Label::Kind kind,
                                       const Version& version) {
  std::vector<const HeadRef*> heads;
  const Entry* entry = index.Find(id);
  if (entry == nullptr) return heads;
  for (const HeadRef& head : kind == Label::Kind::kHead ? entry->heads : entry->quarantine) {
    if (head.version == version) heads.push_back(&head);
  }
  return heads;
}

// Whether the secret is as this write would leave it, or has just left it.
bool Holds(const std::optional<Secret>& secret, const Write& write) {
  if (!secret) return write.keys.empty();
  if (!write.merge && secret->keys.size() != write.keys.size()) return false;
  return std::ranges::all_of(write.keys, [&](const auto& wanted) {
    const auto key = secret->keys.find(wanted.first);
    return key != secret->keys.end() && key->second == wanted.second;
  });
}

}  // namespace

// A write that only settles what an earlier one left in doubt, or that is repeated.
Result<Staged> SecretStore::StageAgain(const Write& write) {
  const Id id = IdOf(pool_, write.name);
  const Entry* entry = index_.Find(id);
  const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
  if (newest == nullptr || newest->version != *write.settles)
    return Error(ErrorCode::kConflict, fmt::format("version {} of {} is not the newest any more",
                                                   write.settles->ToString(), write.name.text()));
  if (auto synced = EnsureSynced(); !synced.ok())
    return Error(ErrorCode::kInDoubt, synced.error().message());
  HSM_TRY(Record record, ReadRecordOf(*newest));
  return Staged{id, newest->version, newest->digest, std::move(record), true};
}

// W0 (sizes), W1 and W2 for one write. Sets `repeated` when its opId is there already.
Result<void> SecretStore::Prepare(Write& write, const Epoch& epoch, std::size_t max_object_bytes,
                                  Pending& pending, std::optional<Staged>& repeated) {
  if (write.settles) {
    HSM_TRY(repeated, StageAgain(write));
    return {};
  }
  if (write.remove && !write.keys.empty())
    return Error(ErrorCode::kInvalid, "a removal has no keys");
  if (!write.remove && write.keys.empty())
    return Error(ErrorCode::kInvalid, "a secret needs at least one key");
  for (const auto& [key, value] : write.keys) HSM_RETURN_IF_ERROR(CheckKeyName(key));
  auto read = Read(write.name);
  // What the older layout has there and adopt cannot take is replaced or removed whole.
  const bool unreadable = read.Is(ErrorCode::kInvalid) && !write.merge && !write.expect;
  if (!read.ok() && !unreadable) return read.error();
  std::optional<Secret> current;
  if (read.ok()) current = *std::move(read);
  pending.id = IdOf(pool_, write.name);
  const Entry* entry = index_.Find(pending.id);
  const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
  if (newest != nullptr && std::find(newest->op_ids.begin(), newest->op_ids.end(), write.op_id) !=
                               newest->op_ids.end()) {
    if (newest->tombstone != write.remove && newest->op_ids.front() == write.op_id) {
      return Error(ErrorCode::kConflict,
                   fmt::format("this operation id was given to a {} of {} already",
                               newest->tombstone ? "deletion" : "write", write.name.text()));
    }
    // What came after it may have changed what it wrote, so then nothing can be said.
    if (newest->op_ids.front() == write.op_id && !Holds(current, write)) {
      return Error(ErrorCode::kConflict,
                   fmt::format("this operation id was given to a write of {} with other content "
                               "already; nothing is written now",
                               write.name.text()));
    }
    write.settles = newest->version;
    HSM_TRY(repeated, StageAgain(write));
    return {};
  }
  if (write.only_repeat) {
    return Error(
        ErrorCode::kConflict,
        fmt::format("operation {} is not among the last of {}: it was superseded or never "
                    "done, and is too old to be done now; read the secret, then write anew",
                    OpIdText(write.op_id), write.name.text()));
  }
  if (write.expect &&
      !write.expect->Met(current ? std::optional(current->version) : std::nullopt)) {
    return Error(ErrorCode::kConflict,
                 fmt::format("expected version {}, found {}", write.expect->ToString(),
                             current ? current->version.ToString() : "absent"));
  }
  if (write.remove && !current && !unreadable)
    return Error(ErrorCode::kNotFound, fmt::format("secret {} not found", write.name.text()));
  if (write.merge && current) {
    for (auto& [key, value] : current->keys) write.keys.try_emplace(key, std::move(value));
  }
  Head& head = pending.head;
  head.tombstone = write.remove;
  head.pool = pool_;
  head.name = write.name.text();
  head.written_at = clock_.Wall();
  head.op_ids = WithOpId(write.op_id, newest == nullptr ? std::vector<OpId>() : newest->op_ids);
  head.salt = rng_.Array<16>();
  last_lsn_ = HighestLsn() + 1;
  head.version = {epoch, last_lsn_};
  if (newest != nullptr && head.version <= newest->version) {
    return Error(ErrorCode::kStaleEpoch, fmt::format("version {} is there, epoch {} is older",
                                                     newest->version.ToString(), epoch.ToString()));
  }
  const std::size_t room = std::min(max_object_bytes, token_.profile().max_object_bytes);
  HSM_TRY(pending.record, Encode(head, write.keys, room));
  return {};
}

Result<void> SecretStore::AdmitRoom(const std::vector<Pending>& batch) {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  for (const Pending& p : batch) {
    objects += 1 + p.record.parts.size();
    bytes += p.record.bytes() +
             1024 * (1 + p.record.parts.size());  // attributes and padding of each object
  }
  const bool deletion =
      std::all_of(batch.begin(), batch.end(), [](const Pending& p) { return p.head.tombstone; });
  const token::Profile& profile = token_.profile();
  if (index_.objects() + objects > profile.ObjectsFor(deletion)) {
    return Error(
        ErrorCode::kLimit,
        fmt::format("the token holds {} objects, {} more would pass the limit of {} for {}; "
                    "deletions are taken up to {}",
                    index_.objects(), objects, profile.ObjectsFor(deletion), profile.name,
                    profile.max_objects));
  }
  HSM_TRY(const token::Status status, token_.ReadStatus());
  if (status.write_protected) return Error(ErrorCode::kReadOnly, "the token is write-protected");
  const std::uint64_t needed = bytes + profile.BytesKeptFree(deletion);
  if (status.free_bytes && *status.free_bytes < needed) {
    return Error(ErrorCode::kLimit, fmt::format("{} bytes free for the token, {} are needed",
                                                *status.free_bytes, needed));
  }
  return {};
}

std::vector<Result<Staged>> SecretStore::Stage(std::vector<Write> writes, const Epoch& epoch,
                                               std::size_t max_object_bytes, const Gate& gate) {
  std::vector<Result<Staged>> results;
  std::vector<Pending> batch;
  std::vector<std::size_t> place;  // of each pending in results
  std::set<std::string> names;
  for (Write& write : writes) {
    Pending pending;
    std::optional<Staged> repeated;
    Result<void> prepared = RequireMember();
    if (prepared.ok()) prepared = gate();
    if (prepared.ok() && results.size() >= kMaxBatch)
      prepared = Error(ErrorCode::kLimit, fmt::format("more than {} writes in a batch", kMaxBatch));
    if (prepared.ok() && !names.insert(write.name.text()).second) {
      prepared = Error(ErrorCode::kInvalid,
                       fmt::format("secret {} stands twice in one batch", write.name.text()));
    }
    if (prepared.ok()) prepared = Prepare(write, epoch, max_object_bytes, pending, repeated);
    if (!prepared.ok()) {
      results.emplace_back(prepared.error());
    } else if (repeated) {
      results.emplace_back(std::move(*repeated));
    } else {
      place.push_back(results.size());
      results.emplace_back(Error(ErrorCode::kInternal, "not reached"));
      batch.push_back(std::move(pending));
    }
  }
  Commit(batch, gate);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Pending& p = batch[i];
    if (p.error) {
      results[place[i]] = *p.error;
    } else {
      results[place[i]] = Staged{p.id, p.head.version, p.head.digest, std::move(p.record), false};
    }
  }
  return results;
}

std::vector<Result<Applied>> SecretStore::Apply(std::vector<Record> records, const Gate& gate,
                                                bool promise) {
  std::vector<Result<Applied>> results;
  std::vector<Pending> batch;
  std::vector<std::size_t> place;
  std::vector<IdVersion> promised;
  std::set<Id> ids;
  for (Record& record : records) {
    const auto admit = [&]() -> Result<Applied> {
      HSM_RETURN_IF_ERROR(RequireMember());
      HSM_TRY(Head head, CheckRecord(record));
      if (head.pool != pool_) return Error(ErrorCode::kInvalid, "the record is of another pool");
      Pending p;
      p.id = IdOf(pool_, *SecretName::Parse(head.name));
      if (!ids.insert(p.id).second)
        return Error(ErrorCode::kInvalid, "one secret stands twice in a batch");
      const std::size_t limit = token_.profile().max_object_bytes;
      std::size_t largest = record.head.size();
      for (const base::SecretBytes& part : record.parts) largest = std::max(largest, part.size());
      if (largest > limit)
        return Error(ErrorCode::kLimit,
                     fmt::format("an object of {} bytes; this token takes {}", largest, limit));
      const Entry* entry = index_.Find(p.id);
      const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
      const bool damaged = Damage(p.id).has_value();
      if (newest != nullptr && !damaged) {
        if (newest->version > head.version) return Applied::kSuperseded;
        if (newest->version == head.version) {
          if (newest->digest == head.digest) {
            HSM_RETURN_IF_ERROR(EnsureSynced());
            promised.push_back({p.id, head.version});
            return Applied::kEqual;
          }
          return Error(ErrorCode::kConflict,
                       fmt::format("version {} of {} is here with another content",
                                   head.version.ToString(), head.name));
        }
      }
      // Over damage only what is at least as new may be written: anything older would hide it.
      if (damaged && head.version < std::max(entry == nullptr || entry->heads.empty()
                                                 ? Version{}
                                                 : entry->heads.front().version,
                                             ledger_.Promised(p.id).value_or(Version{}))) {
        return Error(ErrorCode::kCorrupt, fmt::format("{} is damaged here and version {} is older",
                                                      head.name, head.version.ToString()));
      }
      LookAgainAt(p.id);
      p.head = std::move(head);
      p.record = std::move(record);
      place.push_back(results.size());
      batch.push_back(std::move(p));
      return Applied::kWritten;
    };
    results.push_back(admit());
  }
  Commit(batch, gate);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].error) {
      results[place[i]] = *batch[i].error;
    } else {
      promised.push_back({batch[i].id, batch[i].head.version});
    }
  }
  if (!promise) return results;
  // A confirmation is a promise: without it on stable storage nothing is confirmed.
  if (auto kept = ledger_.Promise(promised); !kept.ok()) {
    for (auto& result : results) {
      if (result.ok() && *result != Applied::kSuperseded) result = kept.error();
    }
  }
  return results;
}

// W3 to W6. On return every pending has an error or is durable and in the index.
void SecretStore::Commit(std::vector<Pending>& batch, const Gate& gate) {
  if (batch.empty()) return;
  if (auto room = AdmitRoom(batch); !room.ok()) {
    for (Pending& p : batch) p.error = room.error();
    return;
  }
  std::optional<Error> trouble = CreateAll(batch, gate);
  may_have_ghosts_ = may_have_ghosts_ || trouble.has_value();
  const bool fresh_view = token_.profile().proof == token::Proof::kFreshView;
  if (!trouble && !base::On(base::Mutant::kInSessionProof)) {
    if (auto barrier = token_.Barrier(); !barrier.ok()) trouble = barrier.error();
  }
  if (trouble || (fresh_view && !base::On(base::Mutant::kInSessionProof))) {
    Prove(batch, trouble.value_or(Error(ErrorCode::kUnavailable, "a new view does not show it")));
    return;
  }
  for (Pending& p : batch) {
    if (p.error) continue;
    if (p.kind == Label::Kind::kHead) {
      index_.Insert(p.id, std::move(p.ref));
    } else {
      index_.At(p.id).quarantine.push_back(std::move(p.ref));
    }
    index_.NoteLsn(p.head.version.lsn);
    Touch(p.id);
  }
}

// All parts, then all heads. The first error of a create stops it: what the token holds then is for
// a new view to say. A closed gate only refuses the write that met it.
std::optional<Error> SecretStore::CreateAll(std::vector<Pending>& batch, const Gate& gate) {
  for (Pending& p : batch) {
    p.ref = Describe(p.head);
    for (std::size_t i = 0; i < p.record.parts.size(); ++i) {
      const Label label{Label::Kind::kPart, p.id, p.head.version, static_cast<std::uint32_t>(i)};
      auto part = token_.Create(kApplication, label.ToString(), p.record.parts[i].view());
      if (!part.ok()) return part.error().Within(p.head.name);
      index_.AddObjects(1);
      p.ref.parts[i].push_back(*part);
    }
  }
  for (Pending& p : batch) {
    if (auto open = gate(); !open.ok()) {
      p.error = open.error();
      continue;
    }
    base::Failpoint("after-gate-check");
    if (base::On(base::Mutant::kDestroyBeforeCreate)) {
      for (HeadRef& old : index_.At(p.id).heads) (void)token_.Destroy(old.handle);
      index_.At(p.id).heads.clear();
    }
    p.begun = true;
    auto head = token_.Create(kApplication, Label{p.kind, p.id, p.head.version, 0}.ToString(),
                              p.record.head.view());
    if (!head.ok()) return head.error().Within(p.head.name);
    index_.AddObjects(1);
    p.ref.handle = *head;
  }
  return std::nullopt;
}

// W6 by a new view: a pending is durable if the view loads exactly its version, whole. It is "not
// written" only when two views agree that it is not there: one wrong answer for a label or a head
// hides it as well. Whatever was begun and is neither is in doubt.
void SecretStore::Prove(std::vector<Pending>& batch, const Error& why_not) {
  std::vector<const HeadRef*> found(batch.size());
  std::vector<bool> glimpsed(batch.size(), false);
  std::vector<bool> there_before;
  for (const Pending& p : batch)
    there_before.push_back(!VersionsIn(index_, p.id, p.kind, p.head.version).empty());
  // False: something that was begun is not to be seen.
  const auto look = [&]() -> Result<bool> {
    HSM_RETURN_IF_ERROR(Reload(false));
    HSM_RETURN_IF_ERROR(token_.Barrier());
    bool all = true;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Pending& p = batch[i];
      const auto heads = VersionsIn(index_, p.id, p.kind, p.head.version);
      const auto whole = std::ranges::find_if(heads, [&](const HeadRef* head) {
        return head->digest == p.head.digest && head->Complete();
      });
      found[i] = whole == heads.end() ? nullptr : *whole;
      if (!heads.empty() && !there_before[i]) glimpsed[i] = true;
      all = all && (found[i] != nullptr || p.error || !p.begun);
    }
    return all;
  };
  auto shown = look();
  if (shown.ok() && !*shown) shown = look();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Pending& p = batch[i];
    if (p.error) continue;
    if (!shown.ok() && p.begun) {
      p.error = Error(ErrorCode::kInDoubt, fmt::format("{}; looking again: {}", why_not.message(),
                                                       shown.error().message()));
    } else if (!shown.ok() || (found[i] == nullptr && !glimpsed[i])) {
      p.error = NotWritten(why_not);
    } else if (found[i] == nullptr) {
      p.error = Error(
          ErrorCode::kInDoubt,
          fmt::format("{}: two new views do not show it alike, or show it damaged", p.head.name));
    } else {
      CompareWithToken(p, *found[i]);
    }
  }
  if (!shown.ok()) stale_ = unsynced_ = true;
}

void SecretStore::CompareWithToken(Pending& p, const HeadRef& found) {
  const auto record = ReadRecordOf(found);
  const bool same = record.ok() && record->head == p.record.head &&
                    (p.kind == Label::Kind::kQuarantine || record->parts == p.record.parts);
  if (same) return;
  p.error = Error(ErrorCode::kInDoubt, fmt::format("{}: {}", p.head.name,
                                                   record.ok() ? "a new view shows other bytes "
                                                                 "than were written"
                                                               : record.error().message()));
}

// A new EPOCH object, proven like a head. The old ones go with the next Collect: the greatest
// counts.
Result<void> SecretStore::WriteEpochObject() {
  const LedgerState& state = ledger_.state();
  EpochRecord record{pool_,
                     member_,
                     serial_,
                     state.epoch,
                     std::max(state.lsn, HighestLsn()),
                     index_.epoch()->sequence + 1,
                     state.primary};
  const auto create = [&]() -> Result<ObjectHandle> {
    HSM_TRY(const ObjectHandle handle,
            token_.Create(kApplication, Label{}.ToString(), record.Encode().view()));
    HSM_RETURN_IF_ERROR(token_.Barrier());
    return handle;
  };
  auto created = create();
  if (created.ok() && token_.profile().proof == token::Proof::kFiles) {
    index_.SetEpoch(std::move(record), *created);
    index_.AddObjects(1);
    return {};
  }
  HSM_RETURN_IF_ERROR(Reload(false).Within("EPOCH object"));
  HSM_RETURN_IF_ERROR(token_.Barrier().Within("EPOCH object"));
  const auto& seen = index_.epoch();
  if (seen && seen->epoch == record.epoch && seen->sequence == record.sequence) return {};
  return Error(
      ErrorCode::kUnavailable,
      "EPOCH object not written: " +
          (created.ok() ? std::string("a new view does not show it") : created.error().message()));
}

}  // namespace hsmops::store
