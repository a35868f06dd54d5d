// The suite of every ResourceStore, on those that need no server.
#include "test/support/store_conformance.h"

#include "libhsmops/cluster/directory_resource_store.h"
#include "libhsmops/cluster/memory_resource_store.h"
#include "test/support/temp_folder.h"

namespace hsmops::cluster::conformance {
namespace {

struct MemoryWorld {
  base::SystemClock clock;
  base::SystemRng rng;
  MemoryResourceStore store{clock, rng};
  void MakeNamespace(const std::string&) {}
  ResourceStore& first() { return store; }
  ResourceStore& another() { return store; }
};

struct DirectoryWorld {
  base::SystemClock clock;
  base::SystemRng rng;
  test::TempFolder folder;
  std::vector<std::unique_ptr<DirectoryResourceStore>> views;
  DirectoryWorld() {
    REQUIRE(DirectoryResourceStore::Init(folder / "c", rng).ok());
    (void)another();
  }
  void MakeNamespace(const std::string&) {}
  ResourceStore& first() { return *views.front(); }
  ResourceStore& another() {
    auto view = DirectoryResourceStore::Open(folder / "c", clock, rng);
    REQUIRE(view.ok());
    return *views.emplace_back(*std::move(view));
  }
};

}  // namespace

HSMOPS_STORE_CONFORMANCE(MemoryWorld, DirectoryWorld);

TEST_CASE("the memory store loses answers when it is told to") {
  MemoryWorld world;
  HSMDevice device = Must(CreateNew(world.store, Device("payments")));
  device.spec.max_devices = 5;
  world.store.FailNextWrite(Fault::kRefused);
  CHECK(Save(world.store, device).Is(ErrorCode::kUnavailable));
  world.store.FailNextWrite(Fault::kLostBefore);
  CHECK(Save(world.store, device).Is(ErrorCode::kInDoubt));
  CHECK(Must(Load<HSMDevice>(world.store, kNs, "payments")).spec.max_devices == 10);
  world.store.FailNextWrite(Fault::kLostAfter);
  CHECK(Save(world.store, device).Is(ErrorCode::kInDoubt));
  CHECK(Must(Load<HSMDevice>(world.store, kNs, "payments")).spec.max_devices == 5);
  world.store.SetReachable(false);
  CHECK(Load<HSMDevice>(world.store, kNs, "payments").Is(ErrorCode::kUnavailable));
}

}  // namespace hsmops::cluster::conformance
