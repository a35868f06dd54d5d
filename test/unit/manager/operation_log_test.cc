// OperationLog over a store in memory: what stays of operations that ended.
#include "libhsmops/manager/operation_log.h"

#include <doctest/doctest.h>

#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/collecting.h"

namespace hsmops::manager {
namespace {

using cluster::HSMOperation;
using cluster::OperationPhase;

// A device whose members are never asked.
struct Scene {
  base::ManualClock clock;
  base::SeededRng rng{1};
  cluster::MemoryResourceStore store{clock, rng};
  base::SequentialExecutor executor;
  World world{store, clock, rng, executor,
              [](const std::string&, const std::string&, const store::Uid&, const store::Uid&) {
                return std::unique_ptr<mirror::Member>();
              }};
  std::unique_ptr<Pool> pool;

  Scene() {
    cluster::HSMDevice device;
    device.metadata.ns = "hsm-system";
    device.metadata.name = "payments";
    device.spec.mirroring.emplace();
    device.spec.mirroring->endpoints["worker-1"] = "pkcs11:token=one";
    const auto made = cluster::CreateNew(store, device);
    REQUIRE_MESSAGE(made.ok(), made.error().message());
    REQUIRE(CreateArbiterFor(world, *made).ok());
    auto opened = Pool::Open(world, "hsm-system", "payments");
    REQUIRE_MESSAGE(opened.ok(), opened.error().message());
    pool = *std::move(opened);
  }

  // The name of an operation that has run and ended.
  std::string RunOne() {
    cluster::HSMOperationSpec spec;
    spec.type = cluster::OperationType::kSync;
    auto log = OperationLog::Begin(*pool, spec);
    REQUIRE_MESSAGE(log.ok(), log.error().message());
    return log->Finish(OperationPhase::kSucceeded, "", "").metadata.name;
  }
  std::size_t Count() { return cluster::LoadAll<HSMOperation>(store, "hsm-system")->items.size(); }
  bool Has(const std::string& name) {
    return cluster::Load<HSMOperation>(store, "hsm-system", name).ok();
  }
};

}  // namespace

TEST_CASE("finished operations go after a week, and the oldest beyond two hundred") {
  Scene scene;
  const std::string first = scene.RunOne();
  scene.clock.Advance(kOperationTtl - std::chrono::seconds(1));
  const std::string second = scene.RunOne();
  CHECK(scene.Has(first));
  scene.clock.Advance(std::chrono::seconds(1));
  scene.RunOne();
  CHECK(!scene.Has(first));
  CHECK(scene.Has(second));
  for (std::size_t i = 0; i < kMaxFinishedOperations; ++i) {
    scene.clock.Advance(std::chrono::seconds(1));
    scene.RunOne();
  }
  CHECK(scene.Count() == kMaxFinishedOperations);
  CHECK(!scene.Has(second));
}

TEST_CASE("an operation whose process is gone is ended before the next one begins, and stays") {
  Scene scene;
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kSync;
  auto log = OperationLog::Begin(*scene.pool, spec);
  REQUIRE(log.ok());
  scene.RunOne();
  const auto left = cluster::Load<HSMOperation>(scene.store, "hsm-system", log->name());
  REQUIRE(left.ok());
  CHECK(left->status.phase == OperationPhase::kFailed);
}

}  // namespace hsmops::manager
