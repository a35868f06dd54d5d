#include "libhsmops/cluster/watching_store.h"

#include "libhsmops/base/failpoint.h"
#include "libhsmops/cluster/object_rules.h"

namespace hsmops::cluster {

using base::ErrorCode;
using base::Result;

namespace {

// What a watch is given to tell of a write; after that it is believed again.
constexpr std::chrono::seconds kTold{5};

std::string_view Stored(std::string_view version) {
  return version.substr(0, version.find(WatchingStore::kShownMark));
}

}  // namespace

WatchingStore::WatchingStore(ResourceStore& store, base::Clock& clock, std::string ns,
                             const std::vector<Kind>& kinds, Shown shown)
    : store_(store), clock_(clock), ns_(std::move(ns)), shown_(std::move(shown)) {
  for (const Kind kind : kinds)
    watches_[kind] = std::make_unique<WatchedKind>(store_, clock_, kind, ns_);
}

const WatchedKind* WatchingStore::WatchOf(Kind kind, std::string_view ns) const {
  const auto found = watches_.find(kind);
  return found == watches_.end() || ns != ns_ ? nullptr : found->second.get();
}

void WatchingStore::Touch(const ObjectKey& key, std::string version) {
  if (WatchOf(key.kind, key.ns) == nullptr) return;
  const std::lock_guard lock(mutex_);
  untold_[key] = {std::move(version), clock_.Now() + kTold};
}

bool WatchingStore::IsTold(const ObjectKey& key, const std::optional<Object>& known) {
  const std::lock_guard lock(mutex_);
  const auto found = untold_.find(key);
  if (found == untold_.end()) return true;
  const Untold& untold = found->second;
  const bool told = known && !untold.version.empty() && known->version() == untold.version;
  if (!told && clock_.Now() < untold.until) return false;
  untold_.erase(found);
  return true;
}

bool WatchingStore::AllTold(Kind kind, const WatchedKind& watch) {
  std::vector<ObjectKey> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, untold] : untold_) {
      if (key.kind == kind) keys.push_back(key);
    }
  }
  bool all = true;
  for (const ObjectKey& key : keys) {
    const auto known = watch.Find(key.ns, key.name);
    all = known.ok() && IsTold(key, *known) && all;
  }
  return all;
}

Result<Object> WatchingStore::Get(Kind kind, std::string_view ns, std::string_view name) {
  const ObjectKey key{kind, std::string(ns), std::string(name)};
  if (const WatchedKind* watch = WatchOf(kind, ns)) {
    auto known = watch->Find(key.ns, key.name);
    if (known.ok() && IsTold(key, *known)) {
      if (!*known) return NoSuchObject(key);
      return Show(**std::move(known));
    }
  }
  return GetLatest(kind, ns, name);
}

Result<Object> WatchingStore::GetLatest(Kind kind, std::string_view ns, std::string_view name) {
  HSM_TRY(Object object, store_.GetLatest(kind, ns, name));
  return Show(std::move(object));
}

Result<ObjectList> WatchingStore::List(Kind kind, std::string_view ns) {
  ObjectList list;
  const WatchedKind* watch = WatchOf(kind, ns);
  auto known =
      watch == nullptr ? Result<std::vector<Object>>(std::vector<Object>()) : watch->List();
  if (watch != nullptr && known.ok() && AllTold(kind, *watch)) {
    list.items = *std::move(known);
  } else {
    HSM_TRY(list, store_.List(kind, ns));
  }
  for (Object& object : list.items) object = Show(std::move(object));
  return list;
}

// However it ended, it may have done something.
Result<Object> WatchingStore::Wrote(const ObjectKey& key, Result<Object> written) {
  base::Failpoint(Name(key.kind).data());
  Touch(key, written.ok() ? written->version() : std::string());
  if (!written.ok()) return written;
  return Show(*std::move(written));
}

Result<Object> WatchingStore::Create(const Object& object) {
  return Wrote(object.key(), store_.Create(object));
}

Result<Object> WatchingStore::Update(const Object& object, std::string_view expected) {
  return Wrote(object.key(), store_.Update(object, Stored(expected)));
}

Result<Object> WatchingStore::UpdateStatus(const Object& object, std::string_view expected) {
  return Wrote(object.key(), store_.UpdateStatus(object, Stored(expected)));
}

Result<void> WatchingStore::Delete(Kind kind, std::string_view ns, std::string_view name,
                                   std::optional<std::string_view> expected) {
  auto gone =
      store_.Delete(kind, ns, name, expected ? std::optional(Stored(*expected)) : std::nullopt);
  Touch({kind, std::string(ns), std::string(name)}, "");
  return gone;
}

Result<std::unique_ptr<Watch>> WatchingStore::OpenWatch(Kind kind, std::string_view ns,
                                                        std::string_view from) {
  return store_.OpenWatch(kind, ns, from);
}

}  // namespace hsmops::cluster
