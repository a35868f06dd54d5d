// Front: what it costs the store, and a Primary that it does not know yet.
#include "libhsmops/manager/front.h"

#include "test/unit/manager/errand_scene.h"
#include "test/unit/manager/passing_store.h"

namespace hsmops::manager {
namespace {

using agent::Verb;
using std::chrono::seconds;

const store::SecretName kApp = *store::SecretName::Parse("app");

class Counting : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    ++asked;
    return PassingStore::Get(kind, ns, name);
  }
  base::Result<cluster::Object> GetLatest(cluster::Kind kind, std::string_view ns,
                                          std::string_view name) override {
    ++latest;
    if (gone) return base::Error(base::ErrorCode::kUnavailable, "no API server");
    return PassingStore::GetLatest(kind, ns, name);
  }
  base::Result<cluster::ObjectList> List(cluster::Kind kind, std::string_view ns) override {
    ++asked;
    return PassingStore::List(kind, ns);
  }
  bool gone = false;
  int asked = 0;
  int latest = 0;
};

// What a watch had told before some of it changed.
class Late : public PassingStore {
 public:
  using PassingStore::PassingStore;
  base::Result<cluster::Object> Get(cluster::Kind kind, std::string_view ns,
                                    std::string_view name) override {
    const auto before = was.find(kind);
    if (before != was.end()) return before->second;
    return PassingStore::Get(kind, ns, name);
  }
  std::map<cluster::Kind, cluster::Object> was;
};

}  // namespace

TEST_CASE("a read does not ask the store each time while a member is left alone") {
  ErrandScene all(Verb::kInitialize);
  Counting store(all.w.pool.world().resources);
  World world = WorldOver(all.w.pool.world(), store);
  Front front(world, "default", "d");
  all.Begin();
  for (int reads = 0; reads < 100; ++reads) (void)front.Get(kApp);
  CHECK(store.asked < 10);
  CHECK(store.latest == 0);
}

TEST_CASE("amid a promotion a write waits for a store that does not answer but once") {
  ErrandScene all(Verb::kInitialize);
  Counting store(all.w.pool.world().resources);
  World world = WorldOver(all.w.pool.world(), store);
  Front front(world, "default", "d");
  all.BeginPromotion("b");
  store.gone = true;
  for (int writes = 0; writes < 20; ++writes) CHECK_FALSE(front.TakeStamp().ok());
  CHECK(store.latest == 1);
}

TEST_CASE("a Primary that is no node of the device, or not yet, is an error and no end") {
  ManagedPool w({"a", "b", "c"});
  Late late(w.pool.world().resources);
  World world = WorldOver(w.pool.world(), late);
  Front front(world, "default", "d");
  REQUIRE(front.TakeStamp().ok());
  w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  w.Turns(3);
  late.was.emplace(cluster::Kind::kHsmDevice,
                   *w.pool.world().resources.Get(cluster::Kind::kHsmDevice, "default", "d"));
  w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints["c"] = "https://c:9443"; });
  w.Turns(6);
  REQUIRE(w.ForceTo("c").ok());
  w.pool.clock().Advance(seconds(2));
  CHECK(front.TakeStamp().Is(base::ErrorCode::kUnavailable));
  CHECK_NOTHROW((void)front.Get(kApp));
  late.was.clear();
  w.pool.clock().Advance(seconds(2));
  CHECK(front.TakeStamp().ok());
}

}  // namespace hsmops::manager
