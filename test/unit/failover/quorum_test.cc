// QuorumOfSyncSet and WhyNotCovered: what answers prove.
#include "libhsmops/failover/quorum.h"

#include <doctest/doctest.h>

#include <set>

namespace hsmops::failover {

TEST_CASE("the quorum is |S| - min(k, |S|) + 1") {
  CHECK(QuorumOfSyncSet(0, 1) == 0);
  CHECK(QuorumOfSyncSet(3, 0) == 0);
  CHECK(QuorumOfSyncSet(2, 1) == 2);
  CHECK(QuorumOfSyncSet(2, 2) == 1);
  CHECK(QuorumOfSyncSet(2, 9) == 1);
  CHECK(QuorumOfSyncSet(5, 2) == 4);
}

TEST_CASE("what was acknowledged is covered by a quorum of the sync set, the Primary not counted") {
  ClusterState state;
  for (const char* node : {"w1", "w2", "w3"}) {
    MemberView view;
    view.node = node;
    view.in_sync_set = true;
    state.members.push_back(std::move(view));
  }
  const auto covered = [&](unsigned k, const std::set<std::string>& answering) {
    state.needed = k;
    return WhyNotCovered(state, "w1",
                         [&](const MemberView& member) { return answering.contains(member.node); })
        .empty();
  };
  CHECK(covered(1, {"w2", "w3"}));
  CHECK(!covered(1, {"w1", "w2"}));
  CHECK(covered(2, {"w3"}));
  CHECK(!covered(0, {"w1", "w2", "w3"}));
  state.strangers_in_sync_set = 1;
  CHECK(!covered(1, {"w2", "w3"}));
  CHECK(covered(2, {"w2", "w3"}));
}

}  // namespace hsmops::failover
