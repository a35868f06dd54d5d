// TargetMerge: what the target of a promotion does before it may be the Primary (protocol.md, 3,
// P6): it sets aside what of its own nobody acknowledged, and pulls what others hold and it lacks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/failover/cluster_state.h"
#include "libhsmops/manager/merge_plan.h"
#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Whether a member answers with what it holds.
using Answers = std::function<bool(const failover::MemberView&)>;

struct MergeCase {
  std::string from;           // the Primary of the term that ends; empty: nobody is known
  std::string to;             // the target
  bool older_record = false;  // R was restored from a backup: who it names says nothing
  bool accept_loss = false;   // a person gives up what nobody can show
  bool covered = true;        // those who answer hold everything acknowledged
};

class TargetMerge {
 public:
  // `pool` must outlive it.
  TargetMerge(Pool& pool, MergeCase of, Answers has_inventory)
      : pool_(pool), case_(std::move(of)), has_inventory_(std::move(has_inventory)) {}

  // What would stop it, with nothing changed. kCorrupt: something can be read nowhere, or has two
  // contents, and nobody has accepted that. kUnavailable: a source cannot be read any more.
  base::Result<void> Foresee();

  // How many versions were pulled. Errors as above; kUnavailable, too, when the members keep
  // changing.
  base::Result<std::uint64_t> Do();

  // Sources that answer and whose records cannot be read, after Do; nobody where a loss is
  // accepted.
  const std::set<std::string>& Unreadable() const { return unreadable_; }
  // As sentences, after one of the two.
  std::set<std::string> GivenUp() const;

 private:
  std::map<std::string, Trust> Sources() const;
  std::string SilentOfTheTerm() const;
  base::Result<mirror::SyncPlan> WhatToPull();
  base::Result<std::vector<store::InventoryItem>> ToSetAside();
  base::Result<void> SetAside();

  Pool& pool_;
  const MergeCase case_;
  const Answers has_inventory_;
  std::set<std::string> given_up_;  // what PlanMerge could not decide, and somebody accepted
  std::set<std::string> unreadable_;
  std::set<std::string> set_aside_;  // names of values, on the target
};

}  // namespace hsmops::manager
