// Finished operations go when their time is over, and hold up nothing that somebody waits for.
#include <doctest/doctest.h>

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
  ForgetExpired(*w.pool.Open());
  CHECK(IsThere(world, "promoted"));
  CHECK_FALSE(IsThere(world, "synced"));
  REQUIRE(EndCancelled(world, waits).ok());
  ForgetExpired(*w.pool.Open());
  CHECK_FALSE(IsThere(world, "promoted"));
}

TEST_CASE("a store that does not answer is asked for one removal at a time") {
  ManagedPool w({"a", "b"});
  for (int i = 0; i < 5; ++i)
    StoreFinished(w.pool.world(), "old-" + std::to_string(i), OperationType::kSync);
  w.pool.clock().Advance(2 * kBrief);
  Keeping store(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), store);
  auto pool = Pool::Open(world, "default", "d");
  REQUIRE(pool.ok());
  ForgetExpired(**pool);
  CHECK(store.asked == 1);
}

TEST_CASE("nothing is removed while the Primary fails") {
  ManagedPool w({"a", "b"});
  World& world = w.pool.world();
  Controller leader(world, "default", "d");
  w.TurnsOf(leader, 2);
  StoreFinished(world, "old", OperationType::kSync);
  w.pool.clock().Advance(std::chrono::seconds(10));
  w.pool.Reach("a", Reached::kNo);
  w.TurnsOf(leader, 1);
  CHECK(IsThere(world, "old"));
  w.pool.Reach("a", Reached::kYes);
  w.TurnsOf(leader, 2);
  CHECK_FALSE(IsThere(world, "old"));
}

}  // namespace hsmops::manager
