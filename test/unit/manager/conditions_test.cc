// What a device says of itself by conditions, and that what nobody has seen is Unknown.
#include "libhsmops/manager/conditions.h"

#include <doctest/doctest.h>

namespace hsmops::manager {
namespace {

using cluster::ConditionStatus;
using failover::ClusterState;
using failover::MemberView;

const base::WallTime kNow{std::chrono::seconds(1'800'000'000)};

MemberView Answering(const std::string& node) {
  MemberView member;
  member.node = node;
  mirror::MemberStatus status;
  status.digest = base::Digest{};
  status.pin = token::PinState::kAccepted;
  member.status = status;
  return member;
}

MemberView Away(const std::string& node) {
  MemberView member;
  member.node = node;
  return member;
}

cluster::Condition ConditionOf(const ClusterState& state, std::string_view type) {
  cluster::HSMDeviceStatus status;
  SetConditions(state, 7, kNow, status);
  const auto* condition = cluster::FindCondition(status.conditions, type);
  REQUIRE(condition != nullptr);
  CHECK(condition->observed_generation == 7);
  return *condition;
}

}  // namespace

TEST_CASE("a PIN is accepted when every member has said so, and not when one says otherwise") {
  ClusterState state;
  state.members = {Answering("a"), Answering("b")};
  CHECK(ConditionOf(state, "PinAccepted").status == ConditionStatus::kTrue);
  state.members.push_back(Away("c"));
  const auto unseen = ConditionOf(state, "PinAccepted");
  CHECK(unseen.status == ConditionStatus::kUnknown);
  CHECK(unseen.message == "not seen of c");
  for (const auto pin : {token::PinState::kRejected, token::PinState::kLocked,
                         token::PinState::kFinalTry, token::PinState::kNotSet}) {
    state.members[1].status->pin = pin;
    const auto refused = ConditionOf(state, "PinAccepted");
    CHECK(refused.status == ConditionStatus::kFalse);
    CHECK(refused.message.starts_with("b: "));
  }
}

TEST_CASE("versions in quarantine are divergence; of who does not answer it is not known") {
  ClusterState state;
  state.members = {Answering("a"), Answering("b")};
  CHECK(ConditionOf(state, "Diverged").status == ConditionStatus::kFalse);
  state.members.push_back(Away("c"));
  CHECK(ConditionOf(state, "Diverged").status == ConditionStatus::kUnknown);
  state.members[1].status->quarantined = 2;
  const auto diverged = ConditionOf(state, "Diverged");
  CHECK(diverged.status == ConditionStatus::kTrue);
  CHECK(diverged.message == "b has 2 in quarantine");
}

}  // namespace hsmops::manager
