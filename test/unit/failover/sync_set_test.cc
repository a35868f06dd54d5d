// DecideSyncSet: who is to leave S, and who may come.
#include "libhsmops/failover/sync_set.h"

#include <doctest/doctest.h>

namespace hsmops::test {
namespace {

using failover::ClusterState;
using failover::DecideSyncSet;
using failover::MemberView;

MemberView Member(const std::string& node, std::uint8_t digest, bool in_sync_set) {
  MemberView view;
  view.node = node;
  view.in_sync_set = in_sync_set;
  mirror::MemberStatus status;
  status.standing = store::Standing::kMember;
  status.digest = base::Digest{digest};
  view.status = std::move(status);
  return view;
}

ClusterState Three() {
  ClusterState state;
  state.holder = "a";
  state.needed = 1;
  state.members = {Member("a", 1, false), Member("b", 1, true), Member("c", 2, false)};
  state.members[0].holder = true;
  return state;
}

const base::Error kGone(base::ErrorCode::kUnavailable, "gone");

}  // namespace

TEST_CASE("who is healthy may come in, and is brought up to date first") {
  const auto change = DecideSyncSet(Three(), {}, false);
  CHECK(change.add == std::set<std::string>{"c"});
  CHECK(change.lagging == std::vector<std::string>{"c"});
  CHECK(change.drop.empty());
}

TEST_CASE("who failed once stays; who is unhealthy leaves") {
  ClusterState state = Three();
  state.members[1].status = kGone;
  CHECK(DecideSyncSet(state, {}, false).drop.empty());
  CHECK(DecideSyncSet(state, {"b"}, false).drop == std::set<std::string>{"b"});
}

TEST_CASE("who is out of the Primary's reach leaves, and does not come in, however healthy") {
  ClusterState state = Three();
  CHECK(DecideSyncSet(state, {"b", "c"}, false).drop == std::set<std::string>{"b"});
  CHECK(DecideSyncSet(state, {"b", "c"}, false).add.empty());
  state.members[1].uid = store::Uid{2};
  state.members[0].status->unreached = {store::Uid{2}};
  CHECK(state.Unreached() == std::set<std::string>{"b"});
  state.members[0].status = kGone;  // nothing is known then
  CHECK(state.Unreached().empty());
}

TEST_CASE("with durability Strict nobody leaves below k") {
  ClusterState state = Three();
  state.members[1].status = kGone;
  CHECK(DecideSyncSet(state, {"b"}, true).drop.empty());
  state.members[2].in_sync_set = true;
  CHECK(DecideSyncSet(state, {"b"}, true).drop == std::set<std::string>{"b"});
}

TEST_CASE("without a Primary that answers, or in a promotion, nothing is decided") {
  ClusterState state = Three();
  state.members[0].status = kGone;
  CHECK(DecideSyncSet(state, {"b"}, false).add.empty());
  CHECK(DecideSyncSet(state, {"b"}, false).drop.empty());
  state = Three();
  state.promoting = true;
  CHECK(DecideSyncSet(state, {"b"}, false).add.empty());
}

}  // namespace hsmops::test
