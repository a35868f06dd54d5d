#include "libhsmops/cluster/arbiter.h"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cluster {
namespace {

using base::ErrorCode;

const base::WallTime kThen{std::chrono::microseconds(1'800'000'000'123'456)};

Arbiter Normal() {
  Arbiter arbiter;
  arbiter.pool_uid = "pool-1";
  arbiter.holder = Holder{"m-1", "worker-1", "spiffe://pool-1/member/m-1"};
  arbiter.epoch = {7, 0xdead'beef};
  arbiter.members = {"m-1", "m-2", "m-3"};
  arbiter.sync_set = {"m-2", "m-3"};
  arbiter.k = 1;
  arbiter.grant_duration = arbiter.old_grant_duration = std::chrono::seconds(10);
  arbiter.generation = 41;
  arbiter.target_digest = "00ff";
  arbiter.lsn_cuts = {{{6, 1}, 90}, {{7, 0xdead'beef}, UINT64_MAX}};
  arbiter.operation_id = "op-1";
  arbiter.renew_time = kThen;
  return arbiter;
}

Arbiter Promoting() {
  const Arbiter before = Normal();
  Arbiter arbiter = before;
  arbiter.previous =
      PreviousTerm{before.holder, before.sync_set, before.k, before.grant_duration, before.epoch};
  arbiter.holder.reset();
  arbiter.epoch = {8, 5};
  arbiter.phase = ArbiterPhase::kPromoting;
  arbiter.target = "m-2";
  arbiter.target_digest.clear();
  arbiter.old_grant_duration = std::chrono::seconds(20);
  arbiter.grant_replaced_at = kThen;
  ++arbiter.generation;
  return arbiter;
}

Arbiter Vacant() {
  Arbiter arbiter = Normal();
  arbiter.holder.reset();
  arbiter.target = "m-2";
  return arbiter;
}

ObjectMeta Meta() {
  ObjectMeta meta;
  meta.name = ArbiterName("payments");
  meta.ns = "hsm-system";
  return meta;
}

struct World {
  base::ManualClock clock;
  base::SeededRng rng{1};
  MemoryResourceStore store{clock, rng};
  Versioned<Arbiter> Created(const Arbiter& arbiter) {
    auto made = CreateArbiter(store, "hsm-system", "payments", arbiter);
    REQUIRE(made.ok());
    return *made;
  }
};

}  // namespace

TEST_CASE("an arbiter comes back from its Lease as it went in") {
  for (const Arbiter& arbiter : {Normal(), Promoting()}) {
    const Lease lease = Encode(arbiter, Meta());
    const auto through_json = Lease::FromJson(lease.ToJson());
    REQUIRE(through_json.ok());
    const auto back = Decode(*through_json);
    if (!back.ok()) FAIL(back.error().message());
    CHECK(*back == arbiter);
  }
  const Lease lease = Encode(Normal(), Meta());
  CHECK(lease.metadata.name == "payments-primary");
  CHECK(lease.spec.holder_identity == "worker-1");
  CHECK(lease.spec.lease_transitions == 7);
  CHECK(lease.spec.lease_duration_seconds == 10);
  CHECK(Encode(Promoting(), Meta()).spec.holder_identity == "");
}

TEST_CASE("a Lease that lacks any field is corrupt, never defaulted") {
  const Lease whole = Encode(Promoting(), Meta());
  for (const auto& [name, value] : whole.metadata.annotations) {
    CAPTURE(name);
    Lease lease = whole;
    lease.metadata.annotations.erase(name);
    CHECK(Decode(lease).Is(ErrorCode::kCorrupt));
  }
  CHECK(whole.metadata.annotations.size() == 15);
  const std::vector<std::function<void(LeaseSpec&)>> losses = {
      [](LeaseSpec& spec) { spec.holder_identity.reset(); },
      [](LeaseSpec& spec) { spec.lease_duration_seconds.reset(); },
      [](LeaseSpec& spec) { spec.lease_transitions.reset(); },
      [](LeaseSpec& spec) { spec.renew_time.reset(); },
      [](LeaseSpec& spec) { spec.lease_transitions = 9; },
      [](LeaseSpec& spec) { spec.holder_identity = "worker-9"; },
      [](LeaseSpec& spec) { spec.lease_duration_seconds = 301; }};
  for (const auto& lose : losses) {
    Lease lease = whole;
    lose(lease.spec);
    CHECK(Decode(lease).Is(ErrorCode::kCorrupt));
  }
}

TEST_CASE("a Lease with a field that does not parse is corrupt") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"epoch", "8"},
      {"epoch", "8.5"},
      {"epoch", "08.0000000000000005"},
      {"epoch", ""},
      {"phase", "normal"},
      {"phase", ""},
      {"members", ""},
      {"members", "m-1,m-2"},
      {"sync-set", "m-2,,m-3"},
      {"sync-set", "m-2,m-2"},
      {"sync-set", "m-2,"},
      {"sync-set", "a b"},
      {"min-sync-mirrors", "-1"},
      {"min-sync-mirrors", ""},
      {"min-sync-mirrors", "65"},
      {"old-grant-duration", "0"},
      {"old-grant-duration", "1x"},
      {"grant-replaced-at", "yesterday"},
      {"generation", "1.0"},
      {"generation", ""},
      {"previous", "null"},
      {"previous", "{}"},
      {"previous", "{"},
      {"previous", "[]"},
      {"previous", R"({"holder":null,"syncSet":"","k":1,"grantDuration":10})"},
      {"previous",
       R"({"holder":null,"syncSet":"","k":1,"grantDuration":10,"epoch":"8.0000000000000005"})"},
      {"previous",
       R"({"holder":5,"syncSet":"","k":1,"grantDuration":10,"epoch":"7.0000000000000005"})"},
      {"target", ""},
      {"target", "a,b"},
      {"target-digest", "xyz"},
      {"lsn-cuts", "null"},
      {"lsn-cuts", "{}"},
      {"lsn-cuts", R"([{"epoch":"1.0000000000000000"}])"},
      {"lsn-cuts", R"([{"epoch":"1.0000000000000000","lsn":5}])"},
      {"lsn-cuts",
       R"([{"epoch":"2.0000000000000000","lsn":"5"},{"epoch":"1.0000000000000000","lsn":"6"}])"},
      {"holder", ""},
      {"holder", R"({"memberUid":"m-1"})"},
      {"pool-uid", ""}};
  for (const auto& [name, value] : wrong) {
    CAPTURE(name);
    CAPTURE(value);
    Lease lease = Encode(Promoting(), Meta());
    lease.metadata.annotations["hsm.j5t.io/" + name] = value;
    const auto read = Decode(lease);
    CHECK(read.Is(ErrorCode::kCorrupt));
  }
}

TEST_CASE("only one of two that swap the same version wins, and other annotations stay") {
  World world;
  Versioned<Arbiter> current = world.Created(Normal());
  auto lease = Load<Lease>(world.store, "hsm-system", "payments-primary");
  lease->metadata.annotations["team"] = "payments";
  REQUIRE(Save(world.store, *lease).ok());
  Arbiter next = current.value;
  next.renew_time += std::chrono::seconds(3);
  CHECK(CompareAndSwap(world.store, current, next).Is(ErrorCode::kConflict));
  current = *ReadArbiter(world.store, "hsm-system", "payments");
  const auto renewed = CompareAndSwap(world.store, current, next);
  REQUIRE(renewed.ok());
  CHECK(renewed->value == next);
  CHECK(renewed->metadata.annotations.at("team") == "payments");
  CHECK(CompareAndSwap(world.store, current, next).Is(ErrorCode::kConflict));
  world.store.FailNextWrite(Fault::kLostAfter);
  next.renew_time += std::chrono::seconds(3);
  CHECK(CompareAndSwap(world.store, *renewed, next).Is(ErrorCode::kInDoubt));
  CHECK(ReadArbiter(world.store, "hsm-system", "payments")->value == next);
  CHECK(ReadArbiter(world.store, "hsm-system", "other").Is(ErrorCode::kNotFound));
  CHECK(CreateArbiter(world.store, "hsm-system", "payments", next).Is(ErrorCode::kConflict));
}

TEST_CASE("a promotion and its end are allowed steps") {
  const Arbiter before = Normal();
  const Arbiter during = Promoting();
  CHECK(CheckStep(before, during).ok());
  Arbiter after = during;
  after.holder = Holder{"m-2", "worker-2", "spiffe://pool-1/member/m-2"};
  after.phase = ArbiterPhase::kNormal;
  after.previous.reset();
  after.target_digest = "aa";
  after.sync_set = {"m-3"};
  ++after.generation;
  CHECK(CheckStep(during, after).ok());
  Arbiter again = during;  // another target needs another epoch and keeps the previous term
  again.epoch = {9, 6};
  again.target = "m-3";
  ++again.generation;
  CHECK(CheckStep(during, again).ok());
}

TEST_CASE("steps that the protocol forbids are refused") {
  struct Case {
    std::string why;
    Arbiter from;
    std::function<void(Arbiter&)> change;
  };
  const std::vector<Case> cases = {
      {"the pool would change", Normal(), [](Arbiter& a) { a.pool_uid = "pool-2"; }},
      {"back to", Normal(),
       [](Arbiter& a) {
         a.epoch.counter = 6;
         ++a.generation;
       }},
      {"nonce would change", Normal(),
       [](Arbiter& a) {
         a.epoch.nonce = 1;
         ++a.generation;
       }},
      {"holder would change", Normal(),
       [](Arbiter& a) {
         a.holder->member_uid = "m-2";
         ++a.generation;
       }},
      {"holder would change", Normal(),
       [](Arbiter& a) {
         a.holder.reset();
         ++a.generation;
       }},
      {"target would change", Promoting(),
       [](Arbiter& a) {
         a.target = "m-3";
         ++a.generation;
       }},
      {"previous term would change", Promoting(),
       [](Arbiter& a) {
         a.previous->k = 0;
         ++a.generation;
       }},
      {"without a new epoch", Vacant(),
       [](Arbiter& a) {
         const Arbiter promoting = Promoting();
         a.phase = promoting.phase;
         a.previous = promoting.previous;
         a.previous->epoch.counter = 1;
         ++a.generation;
       }},
      {"not be the target", Promoting(),
       [](Arbiter& a) {
         a.phase = ArbiterPhase::kNormal;
         a.previous.reset();
         a.holder = Holder{"m-3", "worker-3", "spiffe://x"};
         ++a.generation;
       }},
      {"generation would not go up", Normal(), [](Arbiter& a) { a.sync_set.erase("m-3"); }},
      {"generation would not go up", Normal(), [](Arbiter& a) { a.members.insert("m-4"); }},
      {"generation would not go up", Normal(), [](Arbiter& a) { a.k = 2; }},
      {"generation would not go up", Normal(),
       [](Arbiter& a) {
         a.k = 2;
         --a.generation;
       }},
      {"generation would not go up", Normal(),
       [](Arbiter& a) {
         a.grant_duration = std::chrono::seconds(5);
         a.grant_replaced_at = kThen;
       }},
      {"generation would not go up", Normal(), [](Arbiter& a) { a.epoch = {8, 1}; }},
      {"nothing else does", Normal(), [](Arbiter& a) { a.generation += 2; }},
      {"grantReplacedAt", Normal(),
       [](Arbiter& a) {
         a.grant_duration = std::chrono::seconds(5);
         ++a.generation;
       }},
      {"previous", Normal(), [](Arbiter& a) { a.previous = Promoting().previous; }},
  };
  for (const Case& one : cases) {
    CAPTURE(one.why);
    Arbiter next = one.from;
    one.change(next);
    const auto step = CheckStep(one.from, next);
    REQUIRE(step.Is(ErrorCode::kInternal));
    CAPTURE(step.error().message());
    CHECK(step.error().message().find(one.why) != std::string::npos);
  }
}

}  // namespace hsmops::cluster
