#include "libhsmops/store/index.h"

#include <algorithm>

#include "libhsmops/base/mutant.h"

namespace hsmops::store {
namespace {

using base::ErrorCode;
using base::Result;
using token::ObjectHandle;

bool Before(const HeadRef& a, const HeadRef& b) {
  if (a.version != b.version) return a.version > b.version;
  if (a.Complete() != b.Complete()) return a.Complete();
  return a.valid && !b.valid;
}

// A version whose parts were found damaged stays so in the next view, until somebody looks anew.
bool KnownDamaged(const Index* previous, const Label& label) {
  if (previous == nullptr || label.kind != Label::Kind::kHead) return false;
  const Entry* entry = previous->Find(label.id);
  return entry != nullptr &&
         std::any_of(entry->heads.begin(), entry->heads.end(), [&](const HeadRef& head) {
           return head.version == label.version && head.damaged;
         });
}

const HeadRef* KnownHead(const Index* previous, const Label& label) {
  if (previous == nullptr) return nullptr;
  const Entry* entry = previous->Find(label.id);
  if (entry == nullptr) return nullptr;
  const auto& heads = label.kind == Label::Kind::kHead ? entry->heads : entry->quarantine;
  for (const HeadRef& head : heads) {
    if (head.version == label.version && head.valid && head.proven) return &head;
  }
  return nullptr;
}

}  // namespace

bool HeadRef::Complete() const {
  if (!valid || damaged || parts.size() != part_count) return false;
  return std::none_of(parts.begin(), parts.end(),
                      [](const auto& copies) { return copies.empty(); });
}

const HeadRef* Entry::Newest() const {
  if (base::On(base::Mutant::kFirstInsteadOfGreatest)) {
    return heads.empty() || !heads.back().Complete() ? nullptr : &heads.back();
  }
  const bool skip_damaged = base::On(base::Mutant::kSmallerForDamaged);
  for (const HeadRef& head : heads) {
    if (head.Complete()) return &head;
    if (!skip_damaged) return nullptr;
  }
  return nullptr;
}

bool Entry::DamagedAbove() const { return !heads.empty() && Newest() == nullptr; }

HeadRef Describe(const Head& head) {
  HeadRef ref;
  ref.version = head.version;
  ref.valid = true;
  ref.tombstone = head.tombstone;
  ref.digest = head.digest;
  ref.name = head.name;
  ref.keys = head.keys;
  ref.op_ids = head.op_ids;
  ref.written_at = head.written_at;
  ref.bytes = head.total_length;
  ref.part_count = static_cast<std::uint32_t>(head.parts.size());
  ref.parts.resize(head.parts.size());
  return ref;
}

Result<Index> Index::Build(token::Token& token, const Uid& pool, const Index* previous,
                           bool reread) {
  HSM_TRY(const std::vector<ObjectHandle> found, token.Find(kApplication));
  Index index;
  std::vector<std::pair<Label, ObjectHandle>> parts;
  for (const ObjectHandle handle : found) {
    const auto taken = index.Take(token, handle, pool, previous, reread, parts);
    if (taken.ok()) continue;
    // An object that went away meanwhile: the view is not one, and nothing is known to be absent.
    const ErrorCode code = taken.Is(ErrorCode::kNotFound) ? ErrorCode::kUnavailable : taken.code();
    return base::Error(code, "building the index: " + taken.error().message());
  }
  index.objects_ = found.size();
  index.Place(parts);
  return index;
}

Result<void> Index::Take(token::Token& token, ObjectHandle handle, const Uid& pool,
                         const Index* previous, bool reread,
                         std::vector<std::pair<Label, ObjectHandle>>& parts) {
  HSM_TRY(const std::string text, token.ReadLabel(handle));
  const auto label = Label::Parse(text);
  if (!label) {
    ++foreign_;
    return {};
  }
  if (label->kind == Label::Kind::kPart) {
    NoteLsn(label->version.lsn);
    parts.emplace_back(*label, handle);
    return {};
  }
  if (label->kind == Label::Kind::kEpoch) {
    HSM_TRY(const token::StoredObject object, token.Read(handle));
    auto record = EpochRecord::Decode(object.value.view());
    if (!record.ok()) {
      ++foreign_;
    } else if (!epoch_ || std::pair(epoch_->epoch, epoch_->sequence) <=
                              std::pair(record->epoch, record->sequence)) {
      SetEpoch(*std::move(record), handle);
    } else {
      epoch_objects_.insert(epoch_objects_.begin(), handle);
    }
    return {};
  }
  NoteLsn(label->version.lsn);
  HeadRef ref;
  const HeadRef* known = reread ? nullptr : KnownHead(previous, *label);
  if (known != nullptr) {
    ref = *known;
    for (auto& copies : ref.parts) copies.clear();
  } else {
    HSM_TRY(const token::StoredObject object, token.Read(handle));
    auto head = DecodeHead(object.value.view());
    if (head.ok() && head->pool != pool) ++foreign_pool_;
    // A head that decodes but is not what its label says is as unreadable as one that does not
    // decode.
    if (head.ok() && head->pool == pool && head->version == label->version &&
        IdOf(pool, *SecretName::Parse(head->name)) == label->id) {
      ref = Describe(*head);
      ref.proven = true;
      ref.damaged = KnownDamaged(previous, *label);
    }
  }
  ref.version = label->version;
  ref.handle = handle;
  if (label->kind == Label::Kind::kQuarantine) {
    entries_[label->id].quarantine.push_back(std::move(ref));
  } else {
    Insert(label->id, std::move(ref));
  }
  return {};
}

// Gives each part to the heads of its version, or leaves it an orphan.
void Index::Place(const std::vector<std::pair<Label, ObjectHandle>>& parts) {
  for (const auto& [label, handle] : parts) {
    Entry& entry = entries_[label.id];
    bool placed = false;
    for (auto* heads : {&entry.heads, &entry.quarantine}) {
      for (HeadRef& head : *heads) {
        if (head.version != label.version || label.part >= head.parts.size()) continue;
        head.parts[label.part].push_back(handle);
        placed = true;
      }
    }
    if (!placed) entry.orphans.push_back({handle, label.version});
  }
  // Only now is it known which heads are complete.
  for (auto& [id, entry] : entries_)
    std::stable_sort(entry.heads.begin(), entry.heads.end(), Before);
}

void Index::Insert(const Id& id, HeadRef head) {
  auto& heads = entries_[id].heads;
  heads.insert(std::lower_bound(heads.begin(), heads.end(), head, Before), std::move(head));
}

const Entry* Index::Find(const Id& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

Entry& Index::At(const Id& id) { return entries_[id]; }
void Index::Erase(const Id& id) { entries_.erase(id); }

void Index::SetEpoch(EpochRecord record, ObjectHandle handle) {
  epoch_ = std::move(record);
  epoch_objects_.push_back(handle);
}

}  // namespace hsmops::store
