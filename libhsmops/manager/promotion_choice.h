// PromotionChoice: P0 of a promotion (protocol.md, 3): whether another Primary is called for, and
// who it is to be. Nobody is touched.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/manager/promotion.h"

namespace hsmops::manager {

struct PromotionChoice {
  failover::ClusterState state;  // as it was judged by
  std::string from;              // "": nobody is the Primary on record
  std::string to;
  std::vector<failover::Candidate> candidates;
  bool needed = true;         // false: what was asked for is so already, and `to` says who it is
  bool resumes = false;       // one is begun that did not come to its end
  bool older_record = false;  // R was restored from a backup: who it names says nothing
};

// kConflict: expected_primary differs, or R was overtaken. kReadOnly: refused by a precondition, or
// there is no candidate; the message has the reasons. kNotFound: no such member.
base::Result<PromotionChoice> ChooseTarget(Pool& pool, const PromotionOptions& options);

}  // namespace hsmops::manager
