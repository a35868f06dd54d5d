// What SecretStore destroys or sets aside: W9, tombstones and the quarantine of protocol.md, 1
// and 4.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "libhsmops/base/mutant.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::store {

using base::Error;
using base::ErrorCode;
using base::Result;

bool SecretStore::RoomIsTight() const {
  return index_.objects() > token_.profile().max_objects / 4 * 3;
}

// The head first: what is left of a crash is parts that no head names. A version that stands both
// in its place and in quarantine, as a crash leaves it, has its parts once.
Result<std::uint64_t> SecretStore::DestroyHead(const Entry& entry, const HeadRef& head) {
  const auto same_parts = [&](const HeadRef& other) {
    return other.version == head.version && other.handle != head.handle;
  };
  const bool shared = std::any_of(entry.heads.begin(), entry.heads.end(), same_parts) ||
                      std::any_of(entry.quarantine.begin(), entry.quarantine.end(), same_parts);
  HSM_RETURN_IF_ERROR(token_.Destroy(head.handle));
  std::uint64_t destroyed = 1;
  if (shared) return destroyed;
  for (const auto& copies : head.parts) {
    for (const token::ObjectHandle part : copies) {
      HSM_RETURN_IF_ERROR(token_.Destroy(part));
      ++destroyed;
    }
  }
  return destroyed;
}

// One wrong answer for a head makes orphans of parts that are its own. So they go only when two
// views have shown them, and never beside a quarantine head that cannot be read.
Result<void> SecretStore::ConfirmOrphans() {
  std::set<IdVersion> before;
  for (const auto& [id, entry] : index_.entries()) {
    for (const Orphan& orphan : entry.orphans) before.insert({id, orphan.version});
  }
  confirmed_orphans_.clear();
  if (before.empty()) return {};
  HSM_RETURN_IF_ERROR(Reload(false));
  for (const auto& [id, entry] : index_.entries()) {
    for (const Orphan& orphan : entry.orphans) {
      const IdVersion seen{id, orphan.version};
      if (before.contains(seen)) confirmed_orphans_.insert(seen);
    }
  }
  return {};
}

bool SecretStore::MayDestroyOrphans(const Id& id, const Entry& entry) const {
  const bool unread = std::any_of(entry.quarantine.begin(), entry.quarantine.end(),
                                  [](const HeadRef& head) { return head.name.empty(); });
  return !unread && std::all_of(entry.orphans.begin(), entry.orphans.end(), [&](const Orphan& o) {
    return confirmed_orphans_.contains({id, o.version});
  });
}

// Destroys one thing that this entry no longer needs; false when there is none.
Result<bool> SecretStore::CollectEntry(const Id& id, Entry& entry, CollectReport& report) {
  if (Damage(id)) return false;
  const HeadRef* newest = entry.Newest();
  // Parts of writes that never reached their head, or of heads destroyed: nothing was promised of
  // them.
  if (!entry.orphans.empty() && MayDestroyOrphans(id, entry)) {
    HSM_RETURN_IF_ERROR(token_.Destroy(entry.orphans.back().handle));
    entry.orphans.pop_back();
    ++report.destroyed;
    return true;
  }
  if (newest == nullptr || !newest->proven) return false;
  // The previous version stays while room allows; unreadable ones below the newest are garbage.
  std::size_t keep = RoomIsTight() ? 0 : 1;
  const std::size_t at = static_cast<std::size_t>(newest - entry.heads.data());
  for (std::size_t i = at + 1; i < entry.heads.size(); ++i) {
    HeadRef& older = entry.heads[i];
    if (older.Complete() && older.version < newest->version && keep > 0) {
      --keep;
      continue;
    }
    HSM_TRY(const std::uint64_t count, DestroyHead(entry, older));
    report.destroyed += count;
    entry.heads.erase(entry.heads.begin() + static_cast<std::ptrdiff_t>(i));
    return true;
  }
  return false;
}

Result<CollectReport> SecretStore::Collect(const std::function<bool()>& go_on) {
  HSM_RETURN_IF_ERROR(RequireMember());
  HSM_RETURN_IF_ERROR(EnsureSynced());  // what takes the place of the older has to stay
  HSM_RETURN_IF_ERROR(ConfirmOrphans());
  HSM_RETURN_IF_ERROR(RequireMember());
  CollectReport report;
  std::uint64_t counted = 0;
  stale_ = true;  // until all is done: of a destroy of unknown outcome only a new view says what is
                  // there
  const auto stop = [&] {
    index_.AddObjects(static_cast<std::int64_t>(counted) -
                      static_cast<std::int64_t>(report.destroyed));
    counted = report.destroyed;
    report.more = !go_on();
    if (report.more) stale_ = false;
    return report.more;
  };
  auto& epochs = index_.epoch_objects();
  while (epochs.size() > 1) {
    if (stop()) return report;
    HSM_RETURN_IF_ERROR(token_.Destroy(epochs.front()));
    epochs.erase(epochs.begin());
    ++report.destroyed;
  }
  for (auto& [id, entry] : index_.entries()) {
    for (;;) {
      const bool anything = entry.heads.size() > 1 || !entry.orphans.empty();
      if (!anything) break;
      if (stop()) return report;
      HSM_TRY(const bool collected, CollectEntry(id, entry, report));
      if (!collected) break;
    }
  }
  index_.AddObjects(static_cast<std::int64_t>(counted) -
                    static_cast<std::int64_t>(report.destroyed));
  counted = report.destroyed;
  HSM_TRY(LegacyLayout * legacy, Legacy());
  for (const LegacyItem& item : legacy->Items()) {
    const auto name = SecretName::Parse(item.name);
    const Entry* entry = name.ok() ? index_.Find(IdOf(pool_, *name)) : nullptr;
    const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
    if (newest == nullptr || !newest->proven) continue;
    if (stop()) return report;
    HSM_RETURN_IF_ERROR(legacy->Destroy(token_, item.name));
  }
  stale_ = false;
  // Ends the view if there are any. A process looks once, and again after a create of its own went
  // wrong.
  if (may_have_ghosts_ && !stop()) {
    HSM_TRY(const std::uint64_t ghosts, token_.CollectGhosts());
    report.destroyed += ghosts;
    may_have_ghosts_ = false;
    HSM_RETURN_IF_ERROR(Ensure());
  }
  return report;
}

Result<std::uint64_t> SecretStore::CollectTombstones(const std::vector<IdVersion>& tombstones) {
  HSM_RETURN_IF_ERROR(RequireMember());
  std::vector<Id> gone;
  const auto is_newest = [&](const IdVersion& t) {
    const Entry* entry = index_.Find(t.id);
    const HeadRef* newest = entry == nullptr ? nullptr : entry->Newest();
    return newest != nullptr && newest->tombstone && newest->version == t.version;
  };
  // What stands under a tombstone comes back when it goes. So two views must show the same under
  // it: one wrong label would hide a head.
  struct Under {
    std::vector<Version> heads;
    bool legacy = false;
    bool operator==(const Under&) const = default;
  };
  const auto look_under = [&](const Id& id) -> Result<Under> {
    Under under;
    const Entry* entry = index_.Find(id);
    if (entry == nullptr) return under;
    for (const HeadRef& head : entry->heads) under.heads.push_back(head.version);
    HSM_TRY(const LegacyLayout* legacy, Legacy());
    under.legacy = !entry->heads.empty() && legacy->Has(entry->heads.front().name);
    return under;
  };
  std::vector<std::pair<IdVersion, Under>> due;
  for (const IdVersion& t : tombstones) {
    if (!is_newest(t)) continue;
    HSM_TRY(Under under, look_under(t.id));
    due.emplace_back(t, std::move(under));
  }
  if (due.empty()) return std::uint64_t{0};
  if (!base::On(base::Mutant::kTombstoneEarly)) HSM_RETURN_IF_ERROR(Reload(false));
  HSM_RETURN_IF_ERROR(RequireMember());
  // The highest lsn must outlive the head that shows it.
  HSM_RETURN_IF_ERROR(WriteEpochObject());
  HSM_TRY(LegacyLayout * legacy, Legacy());
  for (const auto& [t, before] : due) {
    if (!is_newest(t)) continue;
    HSM_TRY(const Under now, look_under(t.id));
    if (now != before) continue;  // the next time
    Entry& entry = index_.At(t.id);
    const std::string name = entry.Newest()->name;
    stale_ = true;  // until this entry is done
    HSM_RETURN_IF_ERROR(legacy->Destroy(token_, name));
    // From the smallest up, so that the tombstone is the last to go.
    while (entry.heads.size() > 1) {
      HSM_TRY(const std::uint64_t count, DestroyHead(entry, entry.heads.back()));
      index_.AddObjects(-static_cast<std::int64_t>(count));
      entry.heads.pop_back();
    }
    stale_ = false;
    gone.push_back(t.id);
  }
  // Before the tombstones as well: who is promoted next has to know how far this epoch came.
  LedgerState state = ledger_.state();
  for (const auto& [t, before] : due) {
    if (std::find(gone.begin(), gone.end(), t.id) != gone.end())
      state.collected = std::max(state.collected, t.version);
  }
  HSM_RETURN_IF_ERROR(ledger_.SetState(state));
  // Before the tombstones: a promise of what is not there any more would read as damage.
  HSM_RETURN_IF_ERROR(ledger_.Forget(gone));
  for (const Id& id : gone) {
    Entry& entry = index_.At(id);
    stale_ = true;
    HSM_TRY(const std::uint64_t count, DestroyHead(entry, entry.heads.back()));
    stale_ = false;
    index_.AddObjects(-static_cast<std::int64_t>(count));
    entry.heads.clear();
    Touch(id);
    if (entry.quarantine.empty() && entry.orphans.empty()) index_.Erase(id);
  }
  return std::uint64_t{gone.size()};
}

Result<void> SecretStore::Quarantine(const std::vector<IdVersion>& versions) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const auto held = [&](const IdVersion& v, bool aside) -> const HeadRef* {
    const Entry* entry = index_.Find(v.id);
    if (entry == nullptr) return nullptr;
    for (const HeadRef& head : aside ? entry->quarantine : entry->heads) {
      if (head.version == v.version && head.valid) return &head;
    }
    return nullptr;
  };
  std::vector<Pending> batch;
  for (const IdVersion& v : versions) {
    const HeadRef* head = held(v, false);
    if (held(v, true) != nullptr) continue;  // copied by an earlier try
    if (head == nullptr) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("version {} is not there to be set aside", v.version.ToString()));
    }
    HSM_TRY(const token::StoredObject object, token_.Read(head->handle));
    Pending p;
    p.id = v.id;
    p.kind = Label::Kind::kQuarantine;
    HSM_TRY(p.head, DecodeHead(object.value.view()));
    p.record.head = object.value.Clone();
    batch.push_back(std::move(p));
  }
  // Only the head is copied: its parts keep their label, which names the version and not the head.
  for (Pending& p : batch) p.head.parts.clear();
  Commit(batch, [] { return Result<void>(); });
  for (const Pending& p : batch) {
    if (p.error) return p.error->Within("copying to quarantine");
  }
  HSM_RETURN_IF_ERROR(Reload(true));
  HSM_RETURN_IF_ERROR(RequireMember());
  std::vector<Id> lowered;
  for (const IdVersion& v : versions) {
    if (held(v, false) == nullptr) {
      // Only who was copied just now must show in this view: one wrong answer is not an empty
      // place.
      const bool copied = std::any_of(batch.begin(), batch.end(), [&](const Pending& p) {
        return p.id == v.id && p.head.version == v.version;
      });
      if (!copied) continue;
      stale_ = true;
      return Error(ErrorCode::kUnavailable,
                   "the version copied to quarantine does not show in a new view");
    }
    if (held(v, true) == nullptr)
      return Error(ErrorCode::kUnavailable, "the quarantine copy is not there in a new view");
    auto& heads = index_.At(v.id).heads;
    const auto at = std::find_if(heads.begin(), heads.end(),
                                 [&](const HeadRef& head) { return head.version == v.version; });
    stale_ = true;
    HSM_RETURN_IF_ERROR(token_.Destroy(at->handle));
    stale_ = false;
    heads.erase(at);
    lowered.push_back(v.id);
    Touch(v.id);
  }
  HSM_RETURN_IF_ERROR(ledger_.Forget(lowered));
  std::vector<IdVersion> below;  // what stood below counts as acknowledged again
  for (const Id& id : lowered) {
    const HeadRef* newest = index_.At(id).Newest();
    if (newest != nullptr) below.push_back({id, newest->version});
  }
  return ledger_.Promise(below);
}

Result<Secret> SecretStore::ReadQuarantined(const IdVersion& version) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const Entry* entry = index_.Find(version.id);
  if (entry != nullptr) {
    for (const HeadRef& ref : entry->quarantine) {
      if (ref.version != version.version) continue;
      HSM_TRY(const Record record, ReadRecordOf(ref));
      HSM_TRY(const Head head, DecodeHead(record.head.view()));
      HSM_TRY(Keys keys, DecodeKeys(head, record.parts));
      HSM_TRY(SecretName name, SecretName::Parse(head.name));
      return Secret{std::move(name), ref.version, ref.written_at, ref.digest, std::move(keys)};
    }
  }
  return Error(ErrorCode::kNotFound,
               fmt::format("no version {} in quarantine", version.version.ToString()));
}

Result<void> SecretStore::DiscardQuarantined(const IdVersion& version) {
  HSM_RETURN_IF_ERROR(RequireMember());
  const Entry* found = index_.Find(version.id);
  if (found != nullptr) {
    auto& quarantine = index_.At(version.id).quarantine;
    for (auto at = quarantine.begin(); at != quarantine.end(); ++at) {
      if (at->version != version.version) continue;
      if (ledger_.Promised(version.id) == version.version)
        HSM_RETURN_IF_ERROR(ledger_.Forget({version.id}));
      stale_ = true;
      const auto count = DestroyHead(*found, *at);
      if (!count.ok()) return Error(ErrorCode::kInDoubt, count.error().message());
      stale_ = false;
      index_.AddObjects(-static_cast<std::int64_t>(*count));
      quarantine.erase(at);
      return {};
    }
  }
  return Error(ErrorCode::kNotFound,
               fmt::format("no version {} in quarantine", version.version.ToString()));
}

}  // namespace hsmops::store
