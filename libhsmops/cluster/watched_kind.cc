#include "libhsmops/cluster/watched_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hsmops::cluster {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kFirstPause{250};  // after a try that failed, doubled each time
constexpr std::chrono::seconds kLongestPause{15};
constexpr std::chrono::milliseconds kLookForStop{20};
constexpr std::chrono::milliseconds kLookForKnown{5};
constexpr std::chrono::seconds kOneWait{1};  // of the watch; nothing is asked for it

}  // namespace

WatchedKind::WatchedKind(ResourceStore& store, base::Clock& clock, Kind kind, std::string ns,
                         Changed changed)
    : store_(store),
      clock_(clock),
      kind_(kind),
      ns_(std::move(ns)),
      changed_(std::move(changed)),
      error_(Error(ErrorCode::kUnavailable, fmt::format("{} are not listed yet", Plural(kind)))),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

WatchedKind::~WatchedKind() {
  thread_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    if (watch_) watch_->Stop();
  }
  thread_.join();
}

Result<void> WatchedKind::Known() const {
  const std::lock_guard lock(mutex_);
  if (error_) return *error_;
  return {};
}

Result<void> WatchedKind::WaitKnown(base::TimePoint deadline) const {
  for (;;) {
    auto known = Known();
    if (known.ok() || clock_.Now() >= deadline) return known;
    clock_.SleepFor(kLookForKnown);
  }
}

Result<std::vector<Object>> WatchedKind::List() const {
  const std::lock_guard lock(mutex_);
  if (error_) return *error_;
  std::vector<Object> all;
  all.reserve(objects_.size());
  for (const auto& [name, object] : objects_) all.push_back(object);
  return all;
}

Result<std::optional<Object>> WatchedKind::Find(const std::string& ns,
                                                const std::string& name) const {
  const std::lock_guard lock(mutex_);
  if (error_) return *error_;
  const auto found = objects_.find({ns, name});
  return found == objects_.end() ? std::optional<Object>() : found->second;
}

// What was listed before and is not now went in between.
void WatchedKind::Replace(ObjectList list) {
  std::set<Name> changed;
  {
    const std::lock_guard lock(mutex_);
    std::map<Name, Object> now;
    for (Object& object : list.items) {
      const Name name{object.key().ns, object.key().name};
      const auto before = objects_.find(name);
      if (before == objects_.end() || before->second.version() != object.version())
        changed.insert(name);
      now.emplace(name, std::move(object));
    }
    for (const auto& [name, object] : objects_) {
      if (!now.contains(name)) changed.insert(name);
    }
    objects_ = std::move(now);
  }
  if (changed_) {
    for (const Name& name : changed) changed_(name);
  }
}

void WatchedKind::Take(const Change& change) {
  const Name name{change.object->key().ns, change.object->key().name};
  {
    const std::lock_guard lock(mutex_);
    if (change.type == ChangeType::kDeleted) {
      objects_.erase(name);
    } else {
      objects_.insert_or_assign(name, *change.object);
    }
  }
  if (changed_) changed_(name);
}

// Listed first and watched from there, so that nothing falls between.
Result<std::shared_ptr<Watch>> WatchedKind::Begin() {
  HSM_TRY(ObjectList list, store_.List(kind_, ns_));
  HSM_TRY(std::shared_ptr<Watch> watch, store_.OpenWatch(kind_, ns_, list.version));
  Replace(std::move(list));
  const std::lock_guard lock(mutex_);
  watch_ = watch;
  error_.reset();
  return watch;
}

void WatchedKind::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto watch = Begin();
    if (watch.ok()) {
      Follow(**watch, stop);
    } else {
      Pause(watch.error(), stop);
    }
  }
}

// What is not allowed, or not served, is not asked for all the time.
void WatchedKind::Pause(const Error& error, const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  pause_ = std::clamp<base::Duration>(pause_ * 2, kFirstPause, kLongestPause);
  const base::TimePoint until = clock_.Now() + pause_;
  while (!stop.stop_requested() && clock_.Now() < until) clock_.SleepFor(kLookForStop);
}

void WatchedKind::Follow(Watch& watch, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto change = watch.Next(clock_.Now() + kOneWait);
    if (!change.ok()) {
      // The watch goes on from where it was; what is known says nothing of now until it does.
      Pause(change.error(), stop);
      continue;
    }
    if (*change && (*change)->type == ChangeType::kResync) {
      auto list = store_.List(kind_, ns_);
      if (!list.ok()) return Pause(list.error(), stop);
      Replace(*std::move(list));
    } else if (*change) {
      Take(**change);
    }
    pause_ = {};
    const std::lock_guard lock(mutex_);
    error_.reset();
  }
}

}  // namespace hsmops::cluster
