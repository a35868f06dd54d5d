// Operations that nobody can carry out: their device is not there, or cannot be looked after now,
// or they say what no operation may. They say so, can be cancelled, and come to an end.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// `device` of namespace `ns` cannot be looked after now. Of its operations those that are pending
// end as Cancelled where that was asked for, and say otherwise, if it `lasts`, that they wait and
// where the reason stands. The others stay as they are.
void TellWaiting(World& world, const std::string& ns, const std::string& device, bool lasts);

// Operations whose device is not there at all. Not thread-safe.
class Strays {
 public:
  // `devices`: all that there are in `ns`, as they were listed just now. An operation of another
  // one ends as Failed (NotFound; in doubt where it was Running) once its device has been missing
  // for kMissingFor: what is applied together does not come in order. One that is to be cancelled
  // ends at once. Whoever looks seldom learns nothing. A pending one that is no operation at all,
  // of whatever device, ends as Failed (Invalid). Of those that end kAtOnce, of more it is left to
  // chance which; and none once `go_on` says no, which is asked before each.
  void Look(World& world, const std::string& ns, const std::set<std::string>& devices,
            const std::function<bool()>& go_on);

  static constexpr int kAtOnce = 16;
  static constexpr std::chrono::seconds kMissingFor{60};
  static constexpr std::chrono::seconds kLongestGap{20};  // between two looks that go together

 private:
  class Round;
  using Missing = std::array<std::string, 3>;  // the operation's name and uid, and the device
  using Version = std::pair<std::string, std::string>;  // the operation's name, and resourceVersion
  std::map<Missing, base::TimePoint> missing_since_;
  std::set<Version> hopeless_;  // refused by their type, and then their status by the store
  std::optional<base::TimePoint> looked_;
};

}  // namespace hsmops::manager
