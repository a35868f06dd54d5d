// ReplicatedWrite: one batch of writes from W0 to W8 of protocol.md, 1.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::mirror {

// S without the Primary, by node. How many of them must confirm is the Primary's to know.
struct SyncSet {
  struct Mirror {
    store::Uid uid{};
    Member* member = nullptr;
  };
  std::map<std::string, Mirror> mirrors;
};

// One result a write. kInDoubt: durable on the Primary and not confirmed by enough mirrors, or the
// answer was lost; the same opId again settles it. Other errors are Stage's: nothing was
// acknowledged and the older version stands.
std::vector<base::Result<Acknowledged>> ReplicatedWrite(const std::string& primary_node,
                                                        Member& primary, const SyncSet& sync_set,
                                                        const store::Term& sender,
                                                        std::uint64_t max_object_bytes,
                                                        std::vector<store::Write> writes,
                                                        base::Executor& executor);

}  // namespace hsmops::mirror
