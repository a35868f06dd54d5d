#include "libhsmops/manager/delivery_plan.h"

#include <doctest/doctest.h>

namespace hsmops::manager {
namespace {

using cluster::HSMDevice;
using cluster::HSMSecret;
using cluster::SyncStatus;

const base::WallTime kThen = *base::ParseTime("2026-01-02T03:04:05Z");
const store::Version kOne{{1, 7}, 1};
const store::Version kTwo{{1, 7}, 2};

HSMSecret Asked() {
  HSMSecret secret;
  secret.metadata.name = "db";
  secret.metadata.ns = "payments";
  secret.metadata.uid = "u";
  return secret;
}

HeldVersion Held(const store::Version& version, bool by_primary = true) {
  HeldVersion held;
  held.state = HeldVersion::State::kPresent;
  held.version = version;
  held.node = "a";
  held.by_primary = by_primary;
  return held;
}

HeldVersion Unknown() {
  HeldVersion held;
  held.why = "a does not answer";
  return held;
}

HeldVersion Absent() {
  HeldVersion held;
  held.state = HeldVersion::State::kAbsent;
  held.by_primary = true;
  return held;
}

TargetSecret Target(const std::string& version, bool ours = true) {
  TargetSecret target;
  target.known = true;
  target.exists = !version.empty();
  target.ours = target.exists && ours;
  target.version = version;
  return target;
}

HSMDevice DeviceNamed(const std::string& name) {
  HSMDevice device;
  device.metadata.name = name;
  device.metadata.ns = "hsm-system";
  return device;
}

// As after a delivery of version 1, which made the Secret's version "5".
struct After {
  HSMSecret secret = Asked();
  DeliveryMemory memory{"5", kOne};
  After() {
    secret.status = StatusAfter(secret, "payments", {DeliveryAction::kDeliver, "Delivering", ""},
                                Delivered{kOne, "a"}, {}, kThen);
  }
};

}  // namespace

TEST_CASE("what is delivered, and what is left alone") {
  const HSMSecret secret = Asked();
  CHECK(Judge(secret, Held(kOne), Target(""), {}).action == DeliveryAction::kDeliver);
  CHECK(Judge(secret, Held(kOne), Target("5", false), {}).reason == "ForeignSecret");
  HSMSecret adopts = secret;
  adopts.spec.adopt = true;
  CHECK(Judge(adopts, Held(kOne), Target("5", false), {}).action == DeliveryAction::kDeliver);
  TargetSecret controlled = Target("5", false);
  controlled.controller = "Widget w";
  CHECK(Judge(adopts, Held(kOne), controlled, {}).reason == "ForeignSecret");
  // What is not known is never taken for what is not there.
  CHECK(Judge(secret, Held(kOne), TargetSecret{}, {}).action == DeliveryAction::kNone);
  CHECK(Judge(secret, Unknown(), Target(""), {}).reason == "DeviceUnavailable");

  After after;
  CHECK(Judge(after.secret, Held(kOne), Target("5"), after.memory).reason == "InSync");
  CHECK(Judge(after.secret, Held(kTwo), Target("5"), after.memory).action ==
        DeliveryAction::kDeliver);
  CHECK(Judge(after.secret, Held(kOne), Target("6"), after.memory).action ==
        DeliveryAction::kDeliver);
  CHECK(Judge(after.secret, Held(kOne), Target(""), after.memory).action ==
        DeliveryAction::kDeliver);
  // A mirror that is behind undoes nothing; the Primary's word counts, whatever it is.
  after.memory.delivered = kTwo;
  after.secret.status.version = kTwo.Full();
  CHECK(Judge(after.secret, Held(kOne, false), Target("5"), after.memory).reason ==
        "DeviceUnavailable");
  CHECK(Judge(after.secret, Held(kOne, true), Target("5"), after.memory).action ==
        DeliveryAction::kDeliver);
}

TEST_CASE("a new leader lets no mirror that is behind undo what was delivered") {
  After after;
  after.secret.status =
      StatusAfter(after.secret, "payments", {DeliveryAction::kDeliver, "Delivering", ""},
                  Delivered{kTwo, "a"}, {}, kThen);
  CHECK(Judge(after.secret, Held(kOne, false), Target("6"), {}).reason == "DeviceUnavailable");
  CHECK(Judge(after.secret, Held(kOne, true), Target("6"), {}).action == DeliveryAction::kDeliver);
}

TEST_CASE("a deleted secret: deletionPolicy says whether the Secret goes") {
  After after;
  CHECK(Judge(after.secret, Absent(), Target("5"), after.memory).action == DeliveryAction::kNone);
  after.secret.spec.deletion_policy = cluster::DeletionPolicy::kDelete;
  CHECK(Judge(after.secret, Absent(), Target("5"), after.memory).action == DeliveryAction::kRemove);
  CHECK(Judge(after.secret, Unknown(), Target("5"), after.memory).action == DeliveryAction::kNone);
  CHECK(Judge(after.secret, Absent(), Target("5", false), after.memory).action ==
        DeliveryAction::kNone);
}

TEST_CASE(
    "a Secret that somebody keeps changing back is left for a while, and what is new is not") {
  After after;
  after.memory.contended = true;
  const auto left = Judge(after.secret, Held(kOne), Target("6"), after.memory);
  CHECK(left.reason == "Contended");
  CHECK(left.action == DeliveryAction::kNone);
  CHECK(Judge(after.secret, Held(kOne), Target(""), after.memory).action ==
        DeliveryAction::kDeliver);
  const auto status = StatusAfter(after.secret, "payments", left, {}, {}, kThen);
  CHECK(status.sync_status == SyncStatus::kOutOfSync);
  CHECK(Judge(after.secret, Held(kTwo), Target("6"), after.memory).action ==
        DeliveryAction::kDeliver);
  CHECK(Judge(after.secret, Held(kOne), Target("5"), after.memory).reason == "InSync");
  after.secret.metadata.annotations["hsm.j5t.io/force-sync"] = "1";
  CHECK(Judge(after.secret, Held(kOne), Target("6"), after.memory).action ==
        DeliveryAction::kDeliver);
}

TEST_CASE("autoSync off: once, and when somebody asks") {
  After after;
  after.secret.spec.auto_sync = false;
  CHECK(Judge(after.secret, Held(kTwo), Target("5"), after.memory).reason == "InSync");
  after.secret.metadata.annotations["hsm.j5t.io/force-sync"] = "1";
  CHECK(Judge(after.secret, Held(kTwo), Target("5"), after.memory).action ==
        DeliveryAction::kDeliver);
  HSMSecret fresh = Asked();
  fresh.spec.auto_sync = false;
  CHECK(Judge(fresh, Held(kOne), Target(""), {}).action == DeliveryAction::kDeliver);
}

TEST_CASE("the status of a delivery says the same when nothing changed") {
  After after;
  CHECK(after.secret.status.sync_status == SyncStatus::kInSync);
  CHECK(after.secret.status.version == kOne.Full());
  const base::WallTime later = kThen + std::chrono::hours(1);
  const DeliveryVerdict in_sync{DeliveryAction::kNone, "InSync", ""};
  CHECK(StatusAfter(after.secret, "payments", in_sync, {}, {}, later) == after.secret.status);
  // Looked at anew by another leader, and nothing had to be written.
  CHECK(StatusAfter(after.secret, "payments", {DeliveryAction::kDeliver, "Delivering", ""},
                    Delivered{kOne, "a", true}, {}, later) == after.secret.status);
  const DeliveryVerdict outage{DeliveryAction::kNone, "DeviceUnavailable", "a does not answer"};
  const auto stale = StatusAfter(after.secret, "payments", outage, {}, {}, later);
  CHECK(stale.sync_status == SyncStatus::kOutOfSync);
  CHECK(stale.version == kOne.Full());
  CHECK(stale.last_sync_time == kThen);
  CHECK(EventBetween(after.secret.status, stale) == "Stale");
  CHECK(EventBetween(stale, after.secret.status) == "Synced");
  CHECK(EventBetween({}, after.secret.status).empty());
  const auto pending = StatusAfter(Asked(), "payments", outage, {}, {}, kThen);
  CHECK(pending.sync_status == SyncStatus::kPending);
  CHECK(pending.version.empty());
}

TEST_CASE("the device that an HSMSecret means") {
  HSMSecret secret = Asked();
  const std::vector<HSMDevice> one{DeviceNamed("payments")};
  const std::vector<HSMDevice> two{DeviceNamed("payments"), DeviceNamed("other")};
  CHECK(ChooseDevice(secret, one, "hsm-system")->device == &one[0]);
  CHECK(ChooseDevice(secret, two, "hsm-system")->none.reason == "AmbiguousDevice");
  CHECK(ChooseDevice(secret, {}, "hsm-system")->none.reason == "DeviceNotFound");
  secret.spec.device_ref = cluster::ObjectRef{"other", ""};
  CHECK(ChooseDevice(secret, two, "hsm-system")->device == &two[1]);
  secret.spec.device_ref = cluster::ObjectRef{"other", "elsewhere"};
  CHECK_FALSE(ChooseDevice(secret, two, "hsm-system"));
  HSMDevice closed = DeviceNamed("payments");
  CHECK(WhyNotAtAll(secret, closed)->reason == "NamespaceNotAllowed");
  closed.spec.allowed_namespaces = {"payments"};
  CHECK_FALSE(WhyNotAtAll(secret, closed));
  secret.spec.hsm_path = "A b";
  CHECK(WhyNotAtAll(secret, closed)->reason == "InvalidName");
}

}  // namespace hsmops::manager
