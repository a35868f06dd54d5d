// ReplicatedWrite: one batch of writes from W0 to W8 of protocol.md, 1.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::mirror {

// Who has to hold a write before it is acknowledged.
struct SyncSet {
  std::map<std::string, Member*> mirrors;  // S without the Primary, by node
  unsigned needed = 0;                     // min(k, |S|); with policy Active |S|
};

struct Acknowledged {
  store::Version version;
  std::vector<std::string> nodes;  // that hold it: the Primary first, then who confirmed
  bool repeated = false;           // the opId was there already
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
