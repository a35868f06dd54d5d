// An R that was read a moment ago is no older record (protocol.md, 4; docs/adr/0026).
#include <doctest/doctest.h>

#include <algorithm>

#include "libhsmops/manager/epoch_check.h"
#include "libhsmops/manager/look.h"
#include "libhsmops/manager/reader.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;
using base::Result;

// Whose Leases are read as they were when it was made, as by a watch that is late.
class LateWatch : public PassingStore {
 public:
  explicit LateWatch(cluster::ResourceStore& inner)
      : PassingStore(inner),
        before_(*inner.Get(cluster::Kind::kLease, "default", cluster::ArbiterName("d"))) {}
  Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                              std::string_view name) override {
    return kind == cluster::Kind::kLease ? before_ : PassingStore::Get(kind, ns, name);
  }
  Result<cluster::Object> GetLatest(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    if (cut) return base::Error(ErrorCode::kUnavailable, "no answer in time");
    return PassingStore::GetLatest(kind, ns, name);
  }
  bool cut = false;

 private:
  const cluster::Object before_;
};

bool Regressed(const cluster::HSMDeviceStatus& status) {
  const auto* condition = cluster::FindCondition(status.conditions, "EpochRegressed");
  return std::ranges::any_of(status.findings,
                             [](const auto& one) { return one.reason == "EpochRegressed"; }) ||
         (condition != nullptr && condition->status == cluster::ConditionStatus::kTrue);
}

// b is promoted, and this store tells of it late.
struct Promoted {
  Promoted() {
    REQUIRE(w.Put("a", "app", "1").ok());
    PromotionOptions options;
    options.target = "b";
    const auto report = Promote(*w.pool.Open(), options, kSilently);
    REQUIRE_MESSAGE(report.ok(), report.error().message());
    w.Grant();
  }
  std::unique_ptr<Pool> OpenLate() {
    auto opened = Pool::Open(world, "default", "d");
    REQUIRE(opened.ok());
    REQUIRE((*opened)->holder() == "a");
    return *std::move(opened);
  }
  ManagedPool w{{"a", "b", "c"}};
  LateWatch resources{w.pool.world().resources};
  World world = WorldOver(w.pool.world(), resources);
};

}  // namespace

TEST_CASE("who reads R late after a promotion finds no older record, and shows the new Primary") {
  Promoted late;
  const auto pool = late.OpenLate();
  const auto state = pool->ObserveAmidWrites();
  const base::WallTime now = late.world.clock.Wall();
  CHECK_FALSE(Regressed(Look(*pool, state, now).status));
  CHECK(state.holder == "b");
  Check check = CheckPromotion(*pool, state, true, now);
  ObeyEpoch(*pool, state, check);
  CAPTURE(check.sentence);
  CHECK(check.possible);
  const auto read = Read(*late.OpenLate(), *store::SecretName::Parse("app"));
  REQUIRE_MESSAGE(read.ok(), read.error().message());
  CHECK(read->node == "b");
}

TEST_CASE("where R cannot be read again nobody says that it is an older one") {
  Promoted late;
  const auto pool = late.OpenLate();
  late.resources.cut = true;
  const auto state = pool->ObserveAmidWrites();
  CHECK_FALSE(Regressed(Look(*pool, state, late.world.clock.Wall()).status));
  CHECK(CheckEpoch(*pool, state).Is(ErrorCode::kConflict));
  const auto status = Look(*pool, state, late.world.clock.Wall()).status;
  CHECK(cluster::FindCondition(status.conditions, "EpochRegressed")->status ==
        cluster::ConditionStatus::kUnknown);
  CHECK(std::ranges::any_of(status.findings,
                            [](const auto& one) { return one.reason == "RecordNotReadAgain"; }));
  CHECK(RefusedAsOlder("b", *pool).code() == ErrorCode::kConflict);
}

TEST_CASE("a leader that reads R late neither gives a grant nor speaks of an older record") {
  Promoted late;
  const auto pool = late.OpenLate();
  CHECK(GrantTo(*pool, "a").Is(ErrorCode::kConflict));
  Controller leader(late.world, "default", "d");
  late.w.said = leader.Turn().reason;
  CHECK(late.w.said.find("EpochRegressed") == std::string::npos);
  const auto device = cluster::Load<cluster::HSMDevice>(late.resources, "default", "d");
  REQUIRE(device.ok());
  CHECK_FALSE(Regressed(device->status));
}

TEST_CASE("an R that is an older one is one, however it is read") {
  Promoted late;
  auto& resources = late.w.pool.world().resources;
  const auto latest = resources.Get(cluster::Kind::kLease, "default", cluster::ArbiterName("d"));
  REQUIRE(latest.ok());
  auto restored = *late.resources.Get(cluster::Kind::kLease, "default", cluster::ArbiterName("d"));
  REQUIRE(resources.Update(restored, latest->version()).ok());
  const auto pool = late.OpenLate();
  const auto state = pool->ObserveAmidWrites();
  CHECK(Regressed(Look(*pool, state, late.world.clock.Wall()).status));
  CHECK(CheckEpoch(*pool, state).Is(ErrorCode::kReadOnly));
}

}  // namespace hsmops::manager
