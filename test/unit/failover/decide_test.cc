// Decide and Candidates: what was seen in, a reason out.
#include "libhsmops/failover/decide.h"

#include <doctest/doctest.h>

namespace hsmops::failover {
namespace {

using Action = Decision::Action;
using base::WallTime;
using std::chrono::seconds;

const WallTime kNow{seconds(1'800'000'000)};

MemberView View(std::string node, bool holder = false) {
  MemberView view;
  view.node = std::move(node);
  view.holder = holder;
  view.in_sync_set = true;
  mirror::MemberStatus status;
  status.standing = store::Standing::kMember;
  status.digest = base::Digest{1};
  status.free_objects = 100;
  status.epoch = {4, 4};
  view.status = std::move(status);
  return view;
}

ClusterState ThreeNodes() {
  ClusterState state;
  state.holder = "w1";
  state.epoch = {4, 4};
  state.needed = 1;
  state.members.push_back(View("w1", true));
  state.members.push_back(View("w2"));
  state.members.push_back(View("w3"));
  state.members[0].status = base::Error(base::ErrorCode::kUnavailable, "away");
  return state;
}

Decision Ask(const ClusterState& state, Policy policy = {}, bool unhealthy = true) {
  const Decision decision = Decide(state, policy, unhealthy, kNow);
  CHECK(!decision.reason.empty());
  CHECK((decision.action == Action::kNone) == decision.target.empty());
  return decision;
}

}  // namespace

TEST_CASE("a Primary that is known to be unhealthy is replaced by a member that holds everything") {
  const Decision decision = Ask(ThreeNodes());
  CHECK(decision.action == Action::kFailOver);
  CHECK(decision.target == "w2");
}

TEST_CASE("why nothing is done") {
  CHECK(Ask(ThreeNodes(), {}, false).action == Action::kNone);
  CHECK(Ask(ThreeNodes(), {.mode = Mode::kOff}).action == Action::kNone);
  CHECK(Ask(ThreeNodes(), {.mode = Mode::kObserve}).action == Action::kWouldFailOver);
  auto state = ThreeNodes();
  state.promoting = true;
  CHECK(Ask(state).action == Action::kNone);
  state = ThreeNodes();
  state.holder.reset();
  CHECK(Ask(state).action == Action::kNone);
  state = ThreeNodes();
  state.paused_until = kNow + seconds(1);
  CHECK(Ask(state).action == Action::kNone);
  state.paused_until = kNow;
  CHECK(Ask(state).action == Action::kFailOver);
  state.last_failover = kNow - seconds(599);
  CHECK(Ask(state).action == Action::kNone);
  CHECK(HeldUntil(state, {}, kNow) == kNow + seconds(1));
  state.last_failover = kNow + seconds(5);  // the clock went back
  CHECK(Ask(state).action == Action::kNone);
  state.last_failover = kNow - seconds(600);
  CHECK(!HeldUntil(state, {}, kNow));
  CHECK(Ask(state).action == Action::kFailOver);
}

TEST_CASE("a quorum of the sync set must answer, and an empty one can never do") {
  auto state = ThreeNodes();
  state.members[1].status = base::Error(base::ErrorCode::kUnavailable, "away");
  CHECK(Ask(state).action == Action::kNone);  // k 1: both of S must answer
  state.needed = 2;
  CHECK(Ask(state).target == "w3");
  state.needed = 0;
  CHECK(Ask(state).action == Action::kNone);
  state = ThreeNodes();
  for (MemberView& member : state.members) member.in_sync_set = false;
  CHECK(Ask(state).action == Action::kNone);
  state = ThreeNodes();
  state.members[1].in_sync_set = false;
  CHECK(Ask(state).target == "w3");
  // A member of S that is no node any more may be the only one that confirmed.
  state.strangers_in_sync_set = 1;
  CHECK(Ask(state).action == Action::kNone);
}

TEST_CASE("who may be promoted, and why not") {
  const auto reasons = [](auto change, Purpose purpose = Purpose::kFailover) {
    ClusterState state = ThreeNodes();
    change(state.members[1]);
    for (const Candidate& candidate : Candidates(state, purpose)) {
      if (candidate.node == "w2") return candidate.reasons;
    }
    FAIL("no such candidate");
    return std::vector<std::string>();
  };
  const auto refused = [&](auto change, Purpose purpose = Purpose::kFailover) {
    return !reasons(change, purpose).empty();
  };
  CHECK(!refused([](MemberView&) {}));
  CHECK(refused(
      [](MemberView& m) { m.status = base::Error(base::ErrorCode::kUnavailable, "away"); }));
  for (const auto standing : {store::Standing::kUnknown, store::Standing::kBlank,
                              store::Standing::kEmptied, store::Standing::kForeign}) {
    CHECK(refused([&](MemberView& m) {
      m.status->standing = standing, m.status->standing_reason = "no member";
    }));
  }
  CHECK(refused([](MemberView& m) { m.status->digest.reset(); }));
  CHECK(refused([](MemberView& m) { m.status->damaged = 1; }));
  CHECK(refused([](MemberView& m) { m.status->free_objects = 0; }));
  CHECK(refused([](MemberView& m) { m.status->epoch = {5, 1}; }));
  CHECK(refused([](MemberView& m) {
    m.status->probe.push_back({"pin", mirror::ProbeStep::Outcome::kFailed, "locked", 0});
  }));
  CHECK(refused([](MemberView& m) { m.in_sync_set = false; }));
  CHECK(!refused([](MemberView& m) { m.in_sync_set = false; }, Purpose::kPromote));
  CHECK(refused([](MemberView& m) { m.holder = true; }));
  const auto old_layout = [](MemberView& m) { m.status->legacy = 1; };
  CHECK(refused(old_layout));
  CHECK(refused(old_layout, Purpose::kPromote));
  // A loss that was accepted excuses what may be lost, and never a token that cannot serve.
  CHECK(!refused(old_layout, Purpose::kForced));
  CHECK(!refused([](MemberView& m) { m.status->epoch = {5, 1}; }, Purpose::kForced));
  CHECK(!refused([](MemberView& m) { m.in_sync_set = false; }, Purpose::kForced));
  CHECK(refused([](MemberView& m) { m.status->digest.reset(); }, Purpose::kForced));
  CHECK(refused([](MemberView& m) { m.status->standing = store::Standing::kBlank; },
                Purpose::kForced));
}

TEST_CASE("the best first: eligible, standby, priority, in sync, by name") {
  ClusterState state = ThreeNodes();
  state.members.push_back(View("w4"));
  state.members.push_back(View("w0"));
  const auto first = [&] { return Candidates(state, Purpose::kPromote).front().node; };
  CHECK(first() == "w0");
  state.members[4].in_sync_set = false;
  CHECK(first() == "w2");
  state.members[2].priority = 5;
  CHECK(first() == "w3");
  state.members[3].standby = true;
  CHECK(first() == "w4");
  state.members[3].status->damaged = 1;
  CHECK(first() == "w3");
  CHECK(Candidates(state, Purpose::kPromote).size() == 5);
}

TEST_CASE(
    "who was told of another epoch under the same counter knows the record to be none of its") {
  MemberView member = View("w2");
  CHECK(!member.ToldLaterThan({{4, 4}, 7}));  // not known
  member.told = store::Term{{4, 4}, 7};
  CHECK(!member.ToldLaterThan({{4, 4}, 7}));
  CHECK(!member.ToldLaterThan({{4, 4}, 8}));
  CHECK(!member.ToldLaterThan({{5, 1}, 1}));
  CHECK(member.ToldLaterThan({{4, 4}, 6}));
  CHECK(member.ToldLaterThan({{3, 9}, 9}));
  for (const std::uint64_t nonce : {3, 5}) CHECK(member.ToldLaterThan({{4, nonce}, 9}));
}

}  // namespace hsmops::failover
