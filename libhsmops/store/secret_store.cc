#include "libhsmops/store/secret_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/mutant.h"

namespace hsmops::store {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

std::string_view Name(Standing standing) {
  switch (standing) {
    case Standing::kUnknown:
      return "Unknown";
    case Standing::kMember:
      return "Member";
    case Standing::kBlank:
      return "Blank";
    case Standing::kEmptied:
      return "Emptied";
    case Standing::kForeign:
      return "Foreign";
  }
  return "Unknown";
}

SecretStore::SecretStore(token::Token& token, Ledger& ledger, base::Clock& clock, base::Rng& rng)
    : token_(token), ledger_(ledger), clock_(clock), rng_(rng) {}

Result<Standing> SecretStore::Open(const Uid& pool, const Uid& member) {
  pool_ = pool;
  member_ = member;
  stale_ = true;
  standing_ = Standing::kUnknown;
  HSM_RETURN_IF_ERROR(Ensure());
  return standing_;
}

Result<void> SecretStore::Ensure() {
  if (!stale_ && !token_.view_lost()) return {};
  return Reload(false);
}

Result<void> SecretStore::Reload(bool reread) {
  // One wrong answer must not make a member a failed one: what looks so is looked at in a second
  // view.
  for (int looks = 0; looks < 2; ++looks) {
    stale_ = true;
    legacy_.reset();
    HSM_RETURN_IF_ERROR(token_.Refresh());
    HSM_TRY(const token::Status status, token_.ReadStatus());
    HSM_TRY(Index index, Index::Build(token_, pool_, &index_, reread));
    serial_ = status.identity.serial;
    index_ = std::move(index);
    dirty_.set();
    stale_ = false;
    Classify();
    if (standing_ == Standing::kMember || ledger_.state().pool == Uid{}) break;
  }
  if (standing_ != Standing::kMember || promised_at_open_) return {};
  HSM_RETURN_IF_ERROR(PromiseWhatIsValid());
  promised_at_open_ = true;
  return {};
}

void SecretStore::Classify() {
  const auto set = [&](Standing standing, std::string reason) {
    standing_ = standing;
    standing_reason_ = std::move(reason);
  };
  const LedgerState& known = ledger_.state();
  const auto& epoch = index_.epoch();
  const bool was_member = known.pool != Uid{};
  if (!epoch) {
    if (was_member)
      return set(Standing::kEmptied,
                 "the token was a member and is empty now: it was initialised or swapped; reinit "
                 "makes it a member again");
    if (!index_.entries().empty())
      return set(Standing::kForeign,
                 "the token holds records but no EPOCH object; reinit makes it a member");
    return set(Standing::kBlank, "the token is blank; init or reinit makes it a member");
  }
  if (epoch->pool != pool_)
    return set(Standing::kForeign, fmt::format("the token belongs to pool {}, not to {}",
                                               UidText(epoch->pool), UidText(pool_)));
  if (epoch->member != member_)
    return set(Standing::kForeign, fmt::format("the token is member {} of this pool, not {}",
                                               UidText(epoch->member), UidText(member_)));
  if (epoch->serial != serial_)
    return set(Standing::kForeign,
               fmt::format("the records were written to token {}, this is {}: a copy?",
                           epoch->serial, serial_));
  if (was_member && (known.pool != pool_ || known.member != member_ || known.serial != serial_)) {
    return set(Standing::kForeign,
               fmt::format("the ledger beside the token is of member {} and token {}",
                           UidText(known.member), known.serial));
  }
  set(Standing::kMember, {});
}

// Also the way back when the ledger was lost: the EPOCH object and the records fill it again.
Result<void> SecretStore::PromiseWhatIsValid() {
  LedgerState state = ledger_.state();
  const EpochRecord& epoch = *index_.epoch();
  state.pool = pool_;
  state.member = member_;
  state.serial = serial_;
  if (state.epoch < epoch.epoch) {
    state.epoch = epoch.epoch;
    state.primary = epoch.primary;
  }
  // What only the token says may come from a process that died before its barrier.
  const LedgerState& known = ledger_.state();
  if (state.pool != known.pool || state.serial != known.serial || state.epoch != known.epoch) {
    HSM_RETURN_IF_ERROR(token_.SyncAll());
  }
  state.lsn = std::max({state.lsn, epoch.lsn, index_.highest_lsn()});
  HSM_RETURN_IF_ERROR(ledger_.SetState(state));
  HSM_RETURN_IF_ERROR(ledger_.SetWiping(false));  // it ended, or it never got to the EPOCH
  std::vector<IdVersion> valid;
  for (const auto& [id, entry] : index_.entries()) {
    const HeadRef* newest = entry.Newest();
    if (newest == nullptr) continue;
    const auto promised = ledger_.Promised(id);
    if (!promised || *promised < newest->version) valid.push_back({id, newest->version});
  }
  if (valid.empty()) return {};
  // Whoever wrote it may have died before its barrier. Without one it is served as it is, and not
  // promised: a full disk must not keep anybody from reading.
  unsynced_ = true;
  if (!EnsureSynced().ok()) return {};
  return ledger_.Promise(valid);
}

Result<void> SecretStore::EnsureSynced() {
  if (!unsynced_) return {};
  HSM_RETURN_IF_ERROR(
      token_.SyncAll().Within("what was written is not known to be on stable storage"));
  unsynced_ = false;
  return {};
}

Result<const HeadRef*> SecretStore::Newest(const Id& id) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const Entry* entry = index_.Find(id);
  return entry == nullptr ? nullptr : entry->Newest();
}

Result<void> SecretStore::RequireMember() {
  HSM_RETURN_IF_ERROR(Ensure());
  if (standing_ == Standing::kMember) return {};
  return Error(ErrorCode::kUnavailable, standing_reason_);
}

std::uint64_t SecretStore::HighestLsn() const {
  return std::max({last_lsn_, ledger_.state().lsn, index_.highest_lsn(),
                   index_.epoch() ? index_.epoch()->lsn : 0});
}

namespace {

bool HoldsHeads(const Index& index) {
  const auto& entries = index.entries();
  return std::any_of(entries.begin(), entries.end(),
                     [](const auto& entry) { return !entry.second.heads.empty(); });
}

}  // namespace

Write Write::Clone() const {
  return {name, store::Clone(keys), remove, merge, op_id, expect, only_repeat, settles};
}

// What others wrote is theirs, and what another member of this pool wrote may be the last copy:
// nobody has compared it.
Result<void> SecretStore::MayWipe() const {
  std::string why;
  if (standing_ == Standing::kForeign && index_.epoch()) why = standing_reason_;
  if (index_.foreign_pool() > 0) why = "the token holds records of another pool";
  // Only a wipe of ours that was cut short leaves that in good order.
  if (!index_.epoch() && HoldsHeads(index_) && !ledger_.wiping())
    why = "the token holds records that nobody can compare, since its EPOCH object is gone";
  if (why.empty()) return {};
  return Error(ErrorCode::kReadOnly,
               why +
                   "; it is left as it is: put the right token in, or initialise this one with "
                   "its maker's tool");
}

Result<void> SecretStore::Initialize(const Uid& pool, const Uid& member, const Term& term,
                                     bool wipe) {
  pool_ = pool;
  member_ = member;
  HSM_RETURN_IF_ERROR(Ensure());
  if (!wipe && (index_.epoch() || !index_.entries().empty())) {
    return Error(ErrorCode::kConflict, "the token holds records already; reinit wipes them");
  }
  if (wipe) {
    HSM_RETURN_IF_ERROR(MayWipe());
    HSM_RETURN_IF_ERROR(ConfirmOrphans());
    HSM_RETURN_IF_ERROR(ledger_.SetWiping(true));
  }
  ++initialised_;
  // The EPOCH goes first: a crash from here on leaves a token that nobody believes, and that
  // MayWipe knows for one that was being wiped.
  stale_ = true;  // an error leaves handles that are dead, so the next call looks again
  promised_at_open_ = false;
  for (auto& objects = index_.epoch_objects(); !objects.empty(); objects.pop_back()) {
    HSM_RETURN_IF_ERROR(token_.Destroy(objects.back()));
  }
  const std::uint64_t lsn = HighestLsn();
  for (auto& [id, entry] : index_.entries()) {
    for (HeadRef& head : entry.heads) {
      HSM_RETURN_IF_ERROR(token_.Destroy(head.handle));
      if (!entry.quarantine.empty()) continue;  // its parts may be those of a quarantined version
      for (const auto& copies : head.parts) {
        for (const token::ObjectHandle part : copies) HSM_RETURN_IF_ERROR(token_.Destroy(part));
      }
    }
    if (!entry.quarantine.empty() || !MayDestroyOrphans(id, entry)) continue;
    for (const Orphan& orphan : entry.orphans) HSM_RETURN_IF_ERROR(token_.Destroy(orphan.handle));
  }
  LedgerState begun;
  begun.epoch = term.epoch;
  begun.generation = term.generation;
  HSM_RETURN_IF_ERROR(ledger_.Reset(begun));
  if (wipe) {
    // What one wrong label hid from the loop above would count as acknowledged from here on.
    HSM_RETURN_IF_ERROR(Reload(true));
    stale_ = true;
    if (HoldsHeads(index_)) {
      return Error(ErrorCode::kUnavailable,
                   "a new view of the wiped token still shows records; reinit again");
    }
  }
  const EpochRecord record{pool, member, serial_, term.epoch, lsn, 1, false};
  HSM_TRY(const token::ObjectHandle handle,
          token_.Create(kApplication, Label{}.ToString(), record.Encode().view()));
  (void)handle;  // the new view below finds it
  HSM_RETURN_IF_ERROR(token_.Barrier());
  HSM_RETURN_IF_ERROR(Reload(true));
  if (standing_ != Standing::kMember)
    return Error(ErrorCode::kUnavailable, "after initialisation: " + standing_reason_);
  return {};
}

Result<LegacyLayout*> SecretStore::Legacy() {
  if (!legacy_) {
    HSM_TRY(legacy_, LegacyLayout::Build(token_));
  }
  return &*legacy_;
}

Result<Keys> SecretStore::ReadLegacy(const std::string& name) {
  HSM_RETURN_IF_ERROR(RequireMember());
  HSM_TRY(const LegacyLayout* legacy, Legacy());
  return legacy->Read(token_, name);
}

// Why what is on the token under this id is not the newest that was acknowledged; nullopt: it is.
std::optional<Error> SecretStore::Damage(const Id& id) const {
  const Entry* entry = index_.Find(id);
  if (entry != nullptr && entry->DamagedAbove()) {
    return Error(ErrorCode::kCorrupt, fmt::format("version {} is damaged on this token",
                                                  entry->heads.front().version.ToString()));
  }
  if (base::On(base::Mutant::kSmallerForDamaged)) return std::nullopt;
  const auto promised = ledger_.Promised(id);
  if (!promised) return std::nullopt;
  const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
  if (newest != nullptr && newest->version >= *promised) return std::nullopt;
  // Set aside, not lost: a crash between the move and the ledger's entry leaves this. Only this
  // very version: one that was set aside above it says nothing of it.
  if (entry != nullptr &&
      std::any_of(entry->quarantine.begin(), entry->quarantine.end(),
                  [&](const HeadRef& head) { return head.version == *promised; })) {
    return std::nullopt;
  }
  return Error(
      ErrorCode::kCorrupt,
      fmt::format("version {} was acknowledged and this token has lost it", promised->ToString()));
}

const Entry* SecretStore::Lookup(const SecretName& name) const {
  if (base::On(base::Mutant::kPrefixMatch)) {
    for (const auto& [id, entry] : index_.entries()) {
      if (!entry.heads.empty() && entry.heads.front().name.starts_with(name.text())) return &entry;
    }
  }
  return index_.Find(IdOf(pool_, name));
}

// A handle that is not there any more says that the view is old, not that there is no such secret.
Result<SecretBytes> SecretStore::ValueOf(token::ObjectHandle handle) {
  auto value = token_.ReadValue(handle);
  if (value.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, value.error().message());
  return value;
}

// Of several objects for one part, as a repair leaves them, the one that the head names.
Result<Record> SecretStore::ReadRecordOf(const HeadRef& head) {
  Record record;
  HSM_TRY(record.head, ValueOf(head.handle));
  if (head.parts.empty()) return record;
  HSM_TRY(const Head decoded, DecodeHead(record.head.view()));
  for (std::size_t i = 0; i < head.parts.size(); ++i) {
    for (const token::ObjectHandle copy : head.parts[i]) {
      HSM_TRY(SecretBytes part, ValueOf(copy));
      const bool named =
          i < decoded.parts.size() && base::Sha256(part.view()) == decoded.parts[i].sha256;
      if (!named && copy != head.parts[i].back()) continue;
      record.parts.push_back(std::move(part));
      break;
    }
  }
  return record;
}

// Two views have read other bytes than were written: from now on every inventory says so, and sync
// repairs it.
void SecretStore::NoteDamage(const Id& id) {
  if (Damage(id)) return;  // known already, and what stands below it is whole
  Entry& entry = index_.At(id);
  if (const HeadRef* newest = entry.Newest()) {
    entry.heads[static_cast<std::size_t>(newest - entry.heads.data())].damaged = true;
    Touch(id);
  }
}

// Before a new view that shall judge anew, or a repair.
void SecretStore::LookAgainAt(const Id& id) {
  if (index_.Find(id) == nullptr) return;
  for (HeadRef& head : index_.At(id).heads) head.damaged = false;
}

Result<std::optional<Secret>> SecretStore::ReadNow(const SecretName& name) {
  if (auto damage = Damage(IdOf(pool_, name))) return *damage;
  const Entry* entry = Lookup(name);
  const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
  if (newest == nullptr) {
    HSM_TRY(const LegacyLayout* legacy, Legacy());
    if (!legacy->Has(name.text())) return std::optional<Secret>();
    HSM_TRY(Keys keys, legacy->Read(token_, name.text()));
    return std::optional<Secret>(Secret{name, {}, {}, {}, std::move(keys)});
  }
  if (newest->tombstone) return std::optional<Secret>();
  HSM_TRY(const Record record, ReadRecordOf(*newest));
  HSM_TRY(const Head head, DecodeHead(record.head.view()));
  if (head.digest != newest->digest)
    return Error(ErrorCode::kCorrupt, "the head on the token is not the one indexed");
  HSM_TRY(Keys keys, DecodeKeys(head, record.parts));
  return std::optional<Secret>(
      Secret{name, newest->version, newest->written_at, newest->digest, std::move(keys)});
}

Result<std::optional<Secret>> SecretStore::Read(const SecretName& name) {
  HSM_RETURN_IF_ERROR(RequireMember());
  auto read = ReadNow(name);
  if (read.ok() || read.Is(ErrorCode::kInvalid)) return read;
  if (base::On(base::Mutant::kErrorAsAbsent)) return std::optional<Secret>();
  // Whatever went wrong may have been the view. Damage that this view has confirmed stays damage.
  const Id id = IdOf(pool_, name);
  if (read.Is(ErrorCode::kCorrupt) && damage_view_ == token_.view() && Damage(id)) return read;
  LookAgainAt(id);
  HSM_RETURN_IF_ERROR(Reload(true));
  damage_view_ = token_.view();
  HSM_RETURN_IF_ERROR(RequireMember());
  read = ReadNow(name);
  if (read.Is(ErrorCode::kCorrupt)) NoteDamage(id);
  return read;
}

Result<Record> SecretStore::ReadRecord(const Id& id) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const auto look = [&]() -> Result<Record> {
    if (auto damage = Damage(id)) return *damage;
    const Entry* entry = index_.Find(id);
    const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
    if (newest == nullptr) return Error(ErrorCode::kNotFound, "no such secret");
    HSM_TRY(Record record, ReadRecordOf(*newest));
    HSM_TRY(const Head head, CheckRecord(record));
    if (head.digest != newest->digest)
      return Error(ErrorCode::kCorrupt, "the head on the token is not the one indexed");
    return record;
  };
  auto record = look();
  if (record.ok() ||
      (record.Is(ErrorCode::kCorrupt) && damage_view_ == token_.view() && Damage(id)))
    return record;
  LookAgainAt(id);
  HSM_RETURN_IF_ERROR(Reload(true));
  damage_view_ = token_.view();
  HSM_RETURN_IF_ERROR(RequireMember());
  record = look();
  if (record.Is(ErrorCode::kCorrupt)) NoteDamage(id);
  return record;
}

// What is compared by it counts as held.
Result<InventoryDigest> SecretStore::Digest() {
  HSM_RETURN_IF_ERROR(RequireMember());
  HSM_RETURN_IF_ERROR(EnsureSynced());
  if (dirty_.none()) return digest_;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (!dirty_.test(bucket)) continue;
    Id first{};
    first[0] = static_cast<std::uint8_t>(bucket);
    base::Bytes content;
    const auto add = [&](base::ByteView bytes) {
      content.insert(content.end(), bytes.begin(), bytes.end());
    };
    for (auto at = index_.entries().lower_bound(first);
         at != index_.entries().end() && at->first[0] == bucket; ++at) {
      const auto& [id, entry] = *at;
      const HeadRef* newest = entry.Newest();
      if (Damage(id)) {
        add(id);
        add(base::AsBytes("damaged"));
      } else if (newest != nullptr) {
        add(id);
        add(newest->digest);  // covers name, version and content, or that it is a tombstone
      }
    }
    const auto& promises = ledger_.promises();
    for (auto at = promises.lower_bound(first); at != promises.end() && at->first[0] == bucket;
         ++at) {
      if (index_.Find(at->first) != nullptr || !Damage(at->first)) continue;
      add(at->first);
      add(base::AsBytes("lost"));
    }
    digest_.buckets[bucket] = base::Sha256(content);
  }
  dirty_.reset();
  base::Bytes all;
  for (const base::Digest& bucket : digest_.buckets)
    all.insert(all.end(), bucket.begin(), bucket.end());
  digest_.root = base::Sha256(all);
  return digest_;
}

Result<Inventory> SecretStore::ReadInventory(const std::bitset<kBuckets>& buckets) {
  Inventory inventory;
  HSM_TRY(inventory.digest, Digest());
  const auto add = [&](const Id& id, const Entry& entry) {
    for (const HeadRef& q : entry.quarantine) {
      inventory.quarantine.push_back({id, q.name, q.version, q.tombstone, q.keys, q.written_at});
    }
    if (!buckets.test(id[0])) return;
    InventoryItem item;
    item.id = id;
    if (!entry.heads.empty()) item.name = entry.heads.back().name;
    for (const HeadRef& head : entry.heads) {
      if (head.valid) item.name = head.name;
    }
    const HeadRef* newest = entry.Newest();
    if (Damage(id)) {
      item.state = InventoryItem::State::kDamaged;
      item.version = std::max(entry.heads.empty() ? Version{} : entry.heads.front().version,
                              ledger_.Promised(id).value_or(Version{}));
    } else if (newest != nullptr) {
      item.state =
          newest->tombstone ? InventoryItem::State::kTombstone : InventoryItem::State::kPresent;
      item.version = newest->version;
      item.digest = newest->digest;
      item.keys = newest->keys;
      item.written_at = newest->written_at;
      item.bytes = newest->bytes;
    } else {
      return;
    }
    inventory.items.push_back(std::move(item));
  };
  for (const auto& [id, entry] : index_.entries()) add(id, entry);
  // Promised, and no trace of it left on the token.
  for (const auto& [id, version] : ledger_.promises()) {
    if (index_.Find(id) == nullptr && Damage(id)) add(id, Entry{});
  }
  std::sort(inventory.items.begin(), inventory.items.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  HSM_TRY(const LegacyLayout* legacy, Legacy());
  for (LegacyItem& item : legacy->Items()) {
    if (Superseded(item)) continue;
    inventory.legacy.push_back(std::move(item));
  }
  inventory.foreign_objects = index_.foreign();
  return inventory;
}

Result<Counts> SecretStore::Count() {
  HSM_TRY(const InventoryDigest digest, Digest());
  Counts counts;
  counts.digest = digest.root;
  for (const auto& [id, entry] : index_.entries()) {
    counts.quarantined += entry.quarantine.size();
    const HeadRef* newest = entry.Newest();
    if (Damage(id)) {
      ++counts.damaged;
    } else if (newest != nullptr && !newest->tombstone) {
      ++counts.secrets;
    }
  }
  for (const auto& [id, version] : ledger_.promises()) {
    if (index_.Find(id) == nullptr && Damage(id)) ++counts.damaged;
  }
  HSM_TRY(const LegacyLayout* legacy, Legacy());
  for (const LegacyItem& item : legacy->Items()) {
    if (item.reason.empty() && !Superseded(item)) ++counts.legacy;
  }
  return counts;
}

bool SecretStore::Superseded(const LegacyItem& item) const {
  const auto name = SecretName::Parse(item.name);
  const Entry* entry = name.ok() ? index_.Find(IdOf(pool_, *name)) : nullptr;
  return entry != nullptr && !entry->heads.empty();
}

Result<void> SecretStore::Promise(const std::vector<IdVersion>& versions) {
  HSM_RETURN_IF_ERROR(RequireMember());
  for (const IdVersion& v : versions) {
    const Entry* entry = index_.Find(v.id);
    const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
    if (newest == nullptr || newest->version < v.version) {
      return Error(ErrorCode::kInternal,
                   fmt::format("version {} is to be promised and is not on the token",
                               v.version.ToString()));
    }
  }
  return ledger_.Promise(versions);
}

Result<void> SecretStore::SetState(LedgerState state) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const LedgerState& now = ledger_.state();
  const bool older_generation = state.epoch == now.epoch && state.generation < now.generation &&
                                !base::On(base::Mutant::kGenerationIgnored);
  if (state.epoch < now.epoch || older_generation) {
    return Error(
        ErrorCode::kStaleEpoch,
        fmt::format("epoch {} generation {} is older than {} generation {}", state.epoch.ToString(),
                    state.generation, now.epoch.ToString(), now.generation));
  }
  state.pool = pool_;
  state.member = member_;
  state.serial = serial_;
  state.lsn = std::max(state.lsn, HighestLsn());
  HSM_RETURN_IF_ERROR(ledger_.SetState(state));
  const EpochRecord& record = *index_.epoch();
  if (record.epoch == state.epoch && record.primary == state.primary) return {};
  return WriteEpochObject();
}

}  // namespace hsmops::store
