// Verification: every value of every member of a device is read again, beside the turns of whoever
// leads: it takes minutes on a slow card, and a member that hangs meanwhile keeps nobody from being
// promoted.
//
// What it finds damaged each member remembers, so the next sync sees it (docs/resources.md,
// verifyInterval).
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libhsmops/manager/sync.h"

namespace hsmops::manager {

class Verification {
 public:
  // `world` must outlive it.
  explicit Verification(World& world)
      : executor_(world.executor), monitor_(world.executor.MakeMonitor()) {}
  // Waits for whom is still being asked.
  ~Verification();
  Verification(const Verification&) = delete;
  Verification& operator=(const Verification&) = delete;

  // Every member on record is asked; who is still at it is asked once more when it has answered,
  // since what it has read by now is from before.
  void Start(const Pool& pool);
  // One has answered since this was asked last.
  bool TakeNews();
  // What was found last, when nobody is being asked any more.
  std::optional<Verified> Whole();

 private:
  void Ask(const std::string& node, mirror::Member& member);  // whom nobody else uses

  base::Executor& executor_;
  std::unique_ptr<base::Monitor> monitor_;  // of what follows
  std::set<std::string> asked_;             // nodes that have not answered yet
  std::set<std::string> again_;             // of them, to be asked once more
  Verified found_;
  bool news_ = false;
};

}  // namespace hsmops::manager
