#include "libhsmops/cluster/memory_resource_store.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/object_rules.h"

namespace hsmops::cluster {

using base::Error;
using base::ErrorCode;
using base::Result;

class MemoryWatch : public Watch {
 public:
  MemoryWatch(MemoryResourceStore& store, Kind kind, std::string_view ns)
      : store_(store), kind_(kind), ns_(ns) {}
  ~MemoryWatch() override {
    const std::lock_guard lock(store_.mutex_);
    store_.watches_.erase(this);
  }

  Result<std::optional<Change>> Next(base::TimePoint deadline) override {
    MemoryResourceStore::Lock lock(store_.mutex_);
    const auto ready = [&] { return !pending_.empty() || stopped_ || !store_.reachable_; };
    const base::Duration left = deadline - store_.clock_.Now();
    if (!ready() && left > base::Duration(0)) store_.changed_.wait_for(lock, left, ready);
    HSM_RETURN_IF_ERROR(store_.CheckReachable());
    if (pending_.empty()) return std::optional<Change>();
    std::optional<Change> change = std::move(pending_.front());
    pending_.pop_front();
    return change;
  }

  void Stop() override {
    const std::lock_guard lock(store_.mutex_);
    stopped_ = true;
    store_.changed_.notify_all();
  }

  // Under the store's lock. A watch that nobody reads holds no more than a resync.
  void Tell(Change change) {
    if (change.object) {
      const ObjectKey& key = change.object->key();
      if (key.kind != kind_ || (!ns_.empty() && key.ns != ns_)) return;
    }
    if (pending_.size() >= kMaxObjectsPerKind) {
      pending_.clear();
      change = Change{};
    }
    pending_.push_back(std::move(change));
  }

 private:
  MemoryResourceStore& store_;
  const Kind kind_;
  const std::string ns_;
  std::deque<Change> pending_;
  bool stopped_ = false;
};

MemoryResourceStore::MemoryResourceStore(base::Clock& clock, base::Rng& rng)
    : clock_(clock), rng_(rng) {}
MemoryResourceStore::~MemoryResourceStore() { HSM_CHECK(watches_.empty()); }

Result<void> MemoryResourceStore::CheckReachable() const {
  if (reachable_) return {};
  return Error(ErrorCode::kUnavailable, "the resource store cannot be reached");
}

Fault MemoryResourceStore::NextFault(std::string_view verb, const ObjectKey& key) {
  if (next_fault_ != Fault::kNone) return std::exchange(next_fault_, Fault::kNone);
  return faults_ ? faults_(verb, key) : Fault::kNone;
}

Result<void> MemoryResourceStore::Write(std::string_view verb, const ObjectKey& key,
                                        const std::function<void()>& effect) {
  const Fault fault = NextFault(verb, key);
  if (fault == Fault::kRefused)
    return Error(ErrorCode::kUnavailable, "the resource store did not answer");
  if (fault != Fault::kLostBefore) effect();
  if (fault == Fault::kNone) return {};
  return Error(ErrorCode::kInDoubt,
               fmt::format("{} of {}: the answer was lost", verb, Describe(key)));
}

void MemoryResourceStore::Tell(ChangeType type, const Object& object) {
  for (MemoryWatch* const watch : watches_) watch->Tell({type, object});
  changed_.notify_all();
}

void MemoryResourceStore::Put(const ObjectKey& key, Object object) {
  const auto [place, is_new] = objects_.insert_or_assign(key, std::move(object));
  Tell(is_new ? ChangeType::kAdded : ChangeType::kModified, place->second);
}

void MemoryResourceStore::Remove(const ObjectKey& key) {
  const auto found = objects_.find(key);
  ++version_;
  Tell(ChangeType::kDeleted, found->second);
  objects_.erase(found);
}

Result<Object> MemoryResourceStore::Get(Kind kind, std::string_view ns, std::string_view name) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  const ObjectKey key{kind, std::string(ns), std::string(name)};
  const auto found = objects_.find(key);
  if (found == objects_.end()) return NoSuchObject(key);
  return found->second;
}

ObjectList MemoryResourceStore::ListLocked(Kind kind, std::string_view ns) const {
  ObjectList list;
  for (const auto& [key, object] : objects_) {
    if (key.kind == kind && (ns.empty() || key.ns == ns)) list.items.push_back(object);
  }
  list.version = std::to_string(version_);
  return list;
}

Result<ObjectList> MemoryResourceStore::List(Kind kind, std::string_view ns) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  return ListLocked(kind, ns);
}

Result<Object> MemoryResourceStore::Create(const Object& object) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  const ObjectKey& key = object.key();
  if (objects_.contains(key)) return AlreadyExists(key);
  const auto same_kind = std::ranges::count_if(
      objects_, [&](const auto& entry) { return entry.first.kind == key.kind; });
  if (static_cast<std::size_t>(same_kind) >= kMaxObjectsPerKind) {
    return Error(ErrorCode::kLimit,
                 fmt::format("there are {} of {} already", kMaxObjectsPerKind, Plural(key.kind)));
  }
  nlohmann::json document = Created(object, base::Uuid(rng_), clock_.Wall());
  SetVersion(document, std::to_string(version_ + 1));
  HSM_TRY(Object stored, Object::From(std::move(document)));
  HSM_RETURN_IF_ERROR(Write("create", key, [&] {
    ++version_;
    Put(key, stored);
  }));
  return stored;
}

Result<Object> MemoryResourceStore::Replace(const Object& object, std::string_view expected,
                                            bool status) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  HSM_RETURN_IF_ERROR(CheckUpdate(object, expected, status));
  const ObjectKey& key = object.key();
  const auto found = objects_.find(key);
  if (found == objects_.end()) return NoSuchObject(key);
  if (found->second.version() != expected) return Moved(key, expected, found->second.version());
  const nlohmann::json& current = found->second.document();
  nlohmann::json document = status ? WithStatus(current, object) : Updated(current, object);
  SetVersion(document, std::to_string(version_ + 1));
  HSM_TRY(Object stored, Object::From(std::move(document)));
  HSM_RETURN_IF_ERROR(Write(status ? "updateStatus" : "update", key, [&] {
    ++version_;
    Put(key, stored);
  }));
  return stored;
}

Result<Object> MemoryResourceStore::Update(const Object& object, std::string_view expected) {
  return Replace(object, expected, false);
}

Result<Object> MemoryResourceStore::UpdateStatus(const Object& object, std::string_view expected) {
  return Replace(object, expected, true);
}

Result<void> MemoryResourceStore::Delete(Kind kind, std::string_view ns, std::string_view name,
                                         std::optional<std::string_view> expected) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  const ObjectKey key{kind, std::string(ns), std::string(name)};
  const auto found = objects_.find(key);
  if (found == objects_.end()) return NoSuchObject(key);
  if (expected && found->second.version() != *expected)
    return Moved(key, *expected, found->second.version());
  return Write("delete", key, [&] { Remove(key); });
}

Result<std::unique_ptr<Watch>> MemoryResourceStore::OpenWatch(Kind kind, std::string_view ns,
                                                              std::string_view from) {
  const Lock lock(mutex_);
  HSM_RETURN_IF_ERROR(CheckReachable());
  auto watch = std::make_unique<MemoryWatch>(*this, kind, ns);
  ObjectList list = ListLocked(kind, ns);
  if (from.empty()) {
    for (Object& object : list.items) watch->Tell({ChangeType::kAdded, std::move(object)});
  } else if (from != list.version) {
    watch->Tell({ChangeType::kResync, std::nullopt});
  }
  watches_.insert(watch.get());
  return std::unique_ptr<Watch>(std::move(watch));
}

void MemoryResourceStore::FailNextWrite(Fault fault) {
  const Lock lock(mutex_);
  next_fault_ = fault;
}

void MemoryResourceStore::SetFaults(
    std::function<Fault(std::string_view, const ObjectKey&)> faults) {
  const Lock lock(mutex_);
  faults_ = std::move(faults);
}

void MemoryResourceStore::SetReachable(bool reachable) {
  const Lock lock(mutex_);
  reachable_ = reachable;
  changed_.notify_all();
}

}  // namespace hsmops::cluster
