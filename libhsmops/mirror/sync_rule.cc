#include "libhsmops/mirror/sync_rule.h"

#include <algorithm>

namespace hsmops::mirror {

std::size_t SyncRule::Needed() const {
  const std::size_t in_set = members.size();
  const auto wanted = static_cast<std::size_t>(k);
  const std::size_t some = strict ? wanted : std::min(wanted, in_set);
  return all ? std::max(some, in_set) : some;
}

std::size_t SyncRule::Counted(const std::set<store::Uid>& confirmed) const {
  return static_cast<std::size_t>(
      std::count_if(members.begin(), members.end(),
                    [&](const store::Uid& member) { return confirmed.contains(member); }));
}

}  // namespace hsmops::mirror
