// MemoryResourceStore: the state of a cluster in this process, for tests and the simulator.
//
// Thread-safe. The clock stamps creationTimestamp and bounds a watch's wait, chance only makes
// uids; both must outlive the store and be safe to use from the threads that use it. A Watch::Next
// whose deadline lies ahead blocks its thread for real: on a fibre, only look.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/cluster/resource_store.h"

namespace hsmops::cluster {

class MemoryWatch;

// What a fault does to one operation that writes.
enum class Fault : std::uint8_t {
  kNone,
  kRefused,     // kUnavailable, and nothing happened
  kLostBefore,  // kInDoubt, and it did not take effect
  kLostAfter,   // kInDoubt, and it did
};

class MemoryResourceStore : public ResourceStore {
 public:
  MemoryResourceStore(base::Clock& clock, base::Rng& rng);
  ~MemoryResourceStore() override;

  base::Result<Object> Get(Kind kind, std::string_view ns, std::string_view name) override;
  base::Result<ObjectList> List(Kind kind, std::string_view ns) override;
  base::Result<Object> Create(const Object& object) override;
  base::Result<Object> Update(const Object& object, std::string_view expected) override;
  base::Result<Object> UpdateStatus(const Object& object, std::string_view expected) override;
  base::Result<void> Delete(Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> expected) override;
  base::Result<std::unique_ptr<Watch>> OpenWatch(Kind kind, std::string_view ns,
                                                 std::string_view from) override;

  // The next operation that writes meets this fault, once.
  void FailNextWrite(Fault fault);
  // Asked before every operation that writes, after FailNextWrite; `verb` is "create", "update",
  // "updateStatus" or "delete". Called with the store locked: it must not call the store.
  void SetFaults(std::function<Fault(std::string_view verb, const ObjectKey& key)> faults);
  // Every operation gives kUnavailable until it is set back.
  void SetReachable(bool reachable);

 private:
  friend class MemoryWatch;
  using Lock = std::unique_lock<std::mutex>;

  base::Result<void> CheckReachable() const;
  Fault NextFault(std::string_view verb, const ObjectKey& key);
  // Does `effect` unless a fault forbids it, and answers as the fault has it.
  base::Result<void> Write(std::string_view verb, const ObjectKey& key,
                           const std::function<void()>& effect);
  base::Result<Object> Replace(const Object& object, std::string_view expected, bool status);
  void Put(const ObjectKey& key, Object object);
  void Remove(const ObjectKey& key);
  void Tell(ChangeType type, const Object& object);
  ObjectList ListLocked(Kind kind, std::string_view ns) const;

  base::Clock& clock_;
  base::Rng& rng_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ObjectKey, Object> objects_;
  std::uint64_t version_ = 0;
  std::set<MemoryWatch*> watches_;
  Fault next_fault_ = Fault::kNone;
  std::function<Fault(std::string_view, const ObjectKey&)> faults_;
  bool reachable_ = true;
};

}  // namespace hsmops::cluster
