// Compare: how far mirrors are from a source, by digests first and of differing buckets only; and
// CatchUp, which closes a small distance on the way to something else.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libhsmops/base/executor.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/mirror/plan.h"

namespace hsmops::mirror {

// A member with at most this much to copy is brought up to date on the way to a write or a read.
inline constexpr std::size_t kCatchUpSteps = 1000;

struct Comparison {
  store::Inventory source;
  std::vector<MemberInventory> mirrors;  // those that differ, and those that could not be asked
  std::vector<std::string> equal;

  bool IsEqual(const std::string& node) const;
  // Every whole version of the source is on these mirrors: the equal ones, and those that differ
  // only in what the source cannot read itself or does not have.
  std::vector<std::string> Holders() const;
};

using Members = std::map<std::string, Member*>;  // by node

// The mirrors against the source, which is none of them. Errors: the source's own.
base::Result<Comparison> Compare(const std::string& source_node, Member& source,
                                 const Members& mirrors, base::Executor& executor);

// Copies what mirrors lack, if that is all there is to do and no more than kCatchUpSteps, and
// compares again. What would have to be set aside or brought to the source is left to a sync.
base::Result<Comparison> CopyMissing(const std::string& source_node, Member& source,
                                     const Members& mirrors, const store::Term& term,
                                     base::Executor& executor);

}  // namespace hsmops::mirror
