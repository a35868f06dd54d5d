// Finished operations go when their time is over, and hold up nothing that somebody waits for.
#include <doctest/doctest.h>

#include "libhsmops/manager/collecting.h"
#include "libhsmops/manager/operation_log.h"
#include "test/unit/manager/managed_pool.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using cluster::HSMOperation;
using cluster::OperationPhase;
using cluster::OperationType;

constexpr std::chrono::seconds kBrief{1};

HSMOperation Stored(World& world, const std::string& name, OperationType type) {
  HSMOperation operation;
  operation.metadata.ns = "default";
  operation.metadata.name = name;
  operation.spec.type = type;
  operation.spec.device_ref = {"d", ""};
  operation.spec.target_node = type == OperationType::kPromote ? "b" : "";
  operation.spec.ttl_seconds_after_finished = kBrief;
  auto created = cluster::CreateNew(world.resources, operation);
  REQUIRE(created.ok());
  return *std::move(created);
}

void StoreFinished(World& world, const std::string& name, OperationType type) {
  HSMOperation operation = Stored(world, name, type);
  REQUIRE(EndOperation(world, operation, OperationPhase::kSucceeded, "Done", "").ok());
}

bool IsThere(World& world, const std::string& name) {
  return world.resources.Get(HSMOperation::kKind, "default", name).ok();
}

std::size_t Count(World& world) {
  return world.resources.List(HSMOperation::kKind, "default")->items.size();
}

const std::function<bool()> kGoOn = [] { return true; };

// Somebody forbids some removals.
class HoldingStore : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<void> Delete(cluster::Kind kind, std::string_view ns, std::string_view name,
                            std::optional<std::string_view> version) override {
    if (name.starts_with("held"))
      return base::Error(base::ErrorCode::kAuthFailed, "it may not be removed");
    return PassingStore::Delete(kind, ns, name, version);
  }
};

// It answers no removal.
class Keeping : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<void> Delete(cluster::Kind, std::string_view, std::string_view,
                            std::optional<std::string_view>) override {
    ++asked;
    return base::Error(base::ErrorCode::kInDoubt, "no answer in time");
  }
  int asked = 0;
};

}  // namespace

TEST_CASE("a promotion that is over stays while another one waits to be judged by it") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  StoreFinished(world, "promoted", OperationType::kPromote);
  StoreFinished(world, "synced", OperationType::kSync);
  HSMOperation waits = Stored(world, "waits", OperationType::kPromote);
  w.pool.clock().Advance(2 * kBrief);
  Collect(world, "default", kGoOn);
  CHECK(IsThere(world, "promoted"));
  CHECK_FALSE(IsThere(world, "synced"));
  REQUIRE(EndCancelled(world, waits).ok());
  Collect(world, "default", kGoOn);
  CHECK_FALSE(IsThere(world, "promoted"));
}

TEST_CASE("a store that does not answer is asked for one removal at a time") {
  ManagedPool w({"a", "b"});
  for (int i = 0; i < 5; ++i)
    StoreFinished(w.pool.world(), "old-" + std::to_string(i), OperationType::kSync);
  w.pool.clock().Advance(2 * kBrief);
  Keeping store(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), store);
  Collect(world, "default", kGoOn);
  CHECK(store.asked == 1);
}

TEST_CASE("who collects stops when it is told to") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  for (int i = 0; i < 5; ++i)
    StoreFinished(world, "old-" + std::to_string(i), OperationType::kSync);
  w.pool.clock().Advance(2 * kBrief);
  int asked = 0;
  Collect(world, "default", [&] { return ++asked <= 2; });
  CHECK(Count(world) == 3);
  Collect(world, "default", kGoOn);
  CHECK(Count(world) == 0);
}

TEST_CASE("finished operations have a bound, also before their time is over") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  for (std::size_t i = 0; i < kMaxFinishedOperations + 20; ++i)
    StoreFinished(world, "old-" + std::to_string(i), OperationType::kSync);
  for (int look = 0; look < 2; ++look) Collect(world, "default", kGoOn);
  CHECK(Count(world) == kMaxFinishedOperations - 1);
}

TEST_CASE("operations that cannot be removed keep no others") {
  ManagedPool w({"a", "b"});
  HoldingStore store(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), store);
  for (std::size_t i = 0; i < 2 * kCollectedAtOnce; ++i)
    StoreFinished(world, "held-" + std::to_string(i), OperationType::kSync);
  StoreFinished(world, "free", OperationType::kSync);
  w.pool.clock().Advance(2 * kBrief);
  for (int look = 0; look < 60; ++look) Collect(world, "default", kGoOn);
  CHECK_FALSE(IsThere(world, "free"));
}

}  // namespace hsmops::manager
