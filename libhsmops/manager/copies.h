// Copies: how many members hold what the Primary holds, from what was seen. Pure.
#pragma once

#include <string>

#include "libhsmops/cluster/resources.h"
#include "libhsmops/failover/cluster_state.h"

namespace hsmops::manager {

// Both answer, and have one digest.
bool EqualToPrimary(const failover::ClusterState& state, const failover::MemberView& member);

// Copies that hold everything acknowledged: the Primary, and members of S that are equal or whose
// Primary is gone.
int FullCopies(const failover::ClusterState& state);

// Mirrors with the Primary's digest that it reaches; 0 while the Primary's is not known.
int EqualMirrors(const failover::ClusterState& state);

// Why durability Strict takes no write with so many equal mirrors, as a part of a sentence; empty:
// it would.
std::string WhyStrictRefuses(const cluster::HSMDevice& device, std::size_t members, int equal);

}  // namespace hsmops::manager
