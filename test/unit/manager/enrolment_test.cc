// A device that people apply, and that nobody has led: its blank tokens become members by
// themselves.
#include "libhsmops/manager/enrolment.h"

#include <algorithm>

#include "libhsmops/cluster/event_recorder.h"
#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;

cluster::HSMDevice DeviceOf(SmallPool& pool) {
  auto device = cluster::Load<cluster::HSMDevice>(pool.world().resources, "default", "d");
  REQUIRE(device.ok());
  return *std::move(device);
}

base::Result<void> TryEnrol(SmallPool& pool, const store::Uid& uid) {
  return Enrol(pool.world(), DeviceOf(pool), uid);
}

store::Standing StandingOf(SmallPool& pool, const std::string& node) {
  const auto status = pool.member(node).Status(false);
  REQUIRE(status.ok());
  return status->standing;
}

}  // namespace

TEST_CASE(
    "enrolment: whoever leads a new device makes its blank tokens members, and it takes writes") {
  ManagedPool w({"a", "b", "c"});
  w.pool.world().enrols = w.pool.Forget({"a", "b", "c"});
  Controller leader(w.pool.world(), "default", "d");
  w.TurnsOf(leader, 3);
  CHECK(w.pool.holder() == "a");
  CHECK(w.pool.Open()->SyncSetNodes().size() == 2);
  w.Grant();
  CHECK(w.Put("a", "app", "1").ok());
}

TEST_CASE("enrolment: one that was cut short is gone on with in the same epoch") {
  SmallPool pool({"a", "b", "c"});
  const store::Epoch begun = pool.Open()->epoch();
  const store::Uid uid = pool.Forget({"c"});
  REQUIRE(TryEnrol(pool, uid).ok());
  CHECK(pool.Open()->epoch() == begun);
  CHECK(StandingOf(pool, "c") == store::Standing::kMember);
}

TEST_CASE("enrolment: while one does not answer nothing is touched") {
  SmallPool pool({"a", "b", "c"});
  const store::Uid uid = pool.Forget({"a", "b", "c"});
  pool.Reach("c", Reached::kNo);
  CHECK(TryEnrol(pool, uid).Is(ErrorCode::kUnavailable));
  pool.world().enrols = uid;
  CHECK(Controller(pool.world(), "default", "d").Turn().failed);
  const auto findings = DeviceOf(pool).status.findings;
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().reason == "NotEnrolled");
  CHECK(findings.front().message.starts_with("waiting for c"));
  const cluster::HSMDevice device = DeviceOf(pool);
  const auto* ready = cluster::FindCondition(device.status.conditions, "Ready");
  REQUIRE(ready != nullptr);
  CHECK(ready->status == cluster::ConditionStatus::kFalse);
  CHECK(ready->reason == "NotEnrolled");
  const auto events = cluster::EventsOf(pool.world().resources, cluster::SubjectOf(device));
  REQUIRE(events.ok());
  CHECK(std::ranges::count(*events, "NotEnrolled", &cluster::Event::reason) == 1);
  pool.Reach("c", Reached::kYes);
  CHECK(StandingOf(pool, "a") == store::Standing::kBlank);
}

TEST_CASE("enrolment: a record that was lost is not made anew over what the tokens hold") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  const store::Uid uid = w.pool.Forget({});
  const auto refused = TryEnrol(w.pool, uid);
  CHECK_MESSAGE(refused.Is(ErrorCode::kReadOnly), refused.error().message());
  CHECK(w.Seen("a", "app") == "1");
  // Nor where the tokens are blank and the status remembers an epoch.
  SmallPool other({"a", "b"});
  const store::Uid its = other.Forget({"a", "b"});
  cluster::HSMDevice device = DeviceOf(other);
  device.status.epoch_floor = 3;
  CHECK(Enrol(other.world(), device, its).Is(ErrorCode::kReadOnly));
  CHECK(StandingOf(other, "a") == store::Standing::kBlank);
}

}  // namespace hsmops::manager
