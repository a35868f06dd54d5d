// What may be another by the time a Reinit that is done beside the turns goes on: its source, where
// the members are, who has had the member since. Found by a review.
#include <mutex>

#include "libhsmops/manager/sync.h"
#include "test/unit/manager/errand_scene.h"

namespace hsmops::manager {
namespace {

using agent::Verb;
using cluster::OperationPhase;

// Reached only where it is now.
class Addressed : public agent::Channel {
 public:
  Addressed(std::unique_ptr<agent::Channel> inner, std::function<bool()> is_there)
      : inner_(std::move(inner)), is_there_(std::move(is_there)) {}
  base::Result<base::SecretBytes> Call(base::SecretBytes request) override {
    if (!is_there_()) return base::Error(base::ErrorCode::kUnavailable, "nobody listens there");
    return inner_->Call(std::move(request));
  }

 private:
  const std::unique_ptr<agent::Channel> inner_;
  const std::function<bool()> is_there_;
};

std::string At(const std::string& host) { return "https://" + host + ":9443"; }

void CheckSucceeds(ErrandScene& all) {
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
  const auto wipe = all.w.pool.Operation("wipe");
  CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
}

void TakeOffTheRecord(ErrandScene& all, const std::string& node) {
  REQUIRE(ChangeSyncSet(*all.w.pool.Open(), {"b"}).ok());
  all.w.Grant();
  auto pool = all.w.pool.Open();
  cluster::Arbiter next = pool->arbiter();
  next.members.erase(pool->UidTextOf(node));
  ++next.generation;
  REQUIRE(pool->Swap(next).ok());
}

}  // namespace

// c is new. One leader has wiped it and is stopped before it knows; the next one fills it, it is
// taken out of the YAML, a secret is deleted, and that forgotten without c, which is put back. The
// first one goes on.
TEST_CASE("a stopped reinit does not put a member back on record that was filled since") {
  ErrandScene all(Verb::kInitialize);
  TakeOffTheRecord(all, "c");
  all.Begin();
  all.leader.Rest();
  Controller other(all.w.pool.world(), "default", "d");
  for (int i = 0; i < 60 && !all.Ended(); ++i) all.TurnsOf(other, 1);
  REQUIRE(all.PhaseOf("wipe") == OperationPhase::kSucceeded);
  all.TurnsOf(other, 5);
  REQUIRE(all.w.pool.Open()->SyncSetNodes().size() == 2);
  REQUIRE(all.w.Put("a", "gone", "1").ok());
  all.TurnsOf(other, 5);
  const std::string c = all.w.pool.Open()->UidTextOf("c");
  all.w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("c"); });
  all.TurnsOf(other, 5);
  all.w.Grant();
  REQUIRE(all.w.Put("a", "gone", "").ok());
  all.TurnsOf(other, 20);
  REQUIRE_FALSE(all.w.pool.Open()->arbiter().members.contains(c));
  all.w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints["c"] = At("c"); });
  all.GoOn();
  for (int i = 0; i < 100; ++i) poll(nullptr, 0, 5);
  all.w.Grant();
  CHECK(all.w.Seen("a", "gone") == "absent");
  CHECK_FALSE(all.w.pool.Open()->arbiter().members.contains(c));
}

TEST_CASE("a reinit is filled by a Primary that came into the YAML after it had begun") {
  ErrandScene all(Verb::kApply);
  all.w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints.erase("b"); });
  all.Turns(5);
  all.Begin();
  all.w.EditMirroring([](cluster::MirroringSpec& m) { m.endpoints["b"] = At("b"); });
  all.Turns(10);
  REQUIRE(all.w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"b"});
  all.w.pool.Reach("a", Reached::kNo);
  REQUIRE(all.Moves("b"));
  all.GoOn();
  CheckSucceeds(all);
}

TEST_CASE("a reinit whose Primary's token dies, and not its agent, waits for the next Primary") {
  for (const Verb held : {Verb::kInitialize, Verb::kApply}) {
    CAPTURE(static_cast<int>(held));
    ErrandScene all(held);
    all.Begin();
    all.w.pool.token("a").Unplug();
    all.GoOn();
    CHECK(all.Moves("b"));
    CheckSucceeds(all);
  }
}

TEST_CASE("a reinit goes on where an agent has another address since") {
  for (const std::string moved : {"a", "c"}) {
    CAPTURE(moved);
    ErrandScene all(Verb::kInitialize);
    std::mutex mutex;
    std::map<std::string, std::string> now{{"a", At("a")}, {"b", At("b")}, {"c", At("c")}};
    all.held.world.make_member = [&](const std::string& node, const std::string& endpoint,
                                     const store::Uid&, const store::Uid&) {
      auto channel = std::make_unique<Addressed>(all.w.pool.ChannelTo(node), [&, node, endpoint] {
        const std::lock_guard lock(mutex);
        return now.at(node) == endpoint;
      });
      return std::make_unique<agent::Client>(
          std::make_unique<HeldChannel>(std::move(channel), node, all.request));
    };
    all.Begin();
    {
      const std::lock_guard lock(mutex);
      now[moved] = At("new-" + moved);
    }
    all.w.EditMirroring(
        [&](cluster::MirroringSpec& m) { m.endpoints[moved] = At("new-" + moved); });
    all.Turns(3);
    CHECK(all.StatusOf("a").available);
    all.GoOn();
    CheckSucceeds(all);
  }
}

TEST_CASE("who was filled and is the Primary before its reinit has ended is no failure of that") {
  HeldRequest request{"c", Verb::kCollectTombstones};
  request.held = false;
  ManagedPool w({"a", "c"});
  HeldWorld held{w, request};
  Controller leader{held.world, "default", "d"};
  const auto turns_until = [&](const std::function<bool()>& holds) {
    for (int i = 0; i < 60 && !holds(); ++i) {
      w.Grant();
      w.TurnsOf(leader, 1);
      poll(nullptr, 0, 5);
    }
    return holds();
  };
  w.EditMirroring([](cluster::MirroringSpec& m) {
    m.sync_interval = std::chrono::hours(10);
    m.min_sync_mirrors = 1;
  });
  const auto in_sync = [&] {
    return w.pool.Open()->SyncSetNodes() == std::vector<std::string>{"c"};
  };
  REQUIRE(turns_until(in_sync));
  REQUIRE(w.Put("a", "app", "1").ok());
  REQUIRE(w.Put("a", "gone", "1").ok());
  REQUIRE(w.Put("a", "gone", "").ok());
  request.held = true;
  w.pool.Ask("wipe", SpecOf(cluster::OperationType::kReinit, "c"));
  REQUIRE(turns_until([&] { return request.waiting == 1; }));
  REQUIRE(in_sync());
  w.pool.Reach("a", Reached::kNo);
  REQUIRE(turns_until([&] { return w.pool.holder() == "c"; }));
  request.held = false;
  REQUIRE(turns_until([&] { return w.pool.Operation("wipe").Finished(); }));
  const auto wipe = w.pool.Operation("wipe");
  CHECK_MESSAGE(wipe.status.phase == OperationPhase::kSucceeded, wipe.status.message);
  CHECK(w.Seen("c", "app") == "1");
}

TEST_CASE("who was made the Primary by force before it was filled is told so by its reinit") {
  ErrandScene all(Verb::kApply);
  all.Begin();
  all.w.pool.Reach("a", Reached::kNo);
  all.w.pool.Reach("b", Reached::kNo);
  PromotionOptions options;
  options.purpose = failover::Purpose::kFailover;
  options.target = "c";
  options.accept_loss = true;
  const auto forced = Promote(*all.w.pool.Open(), options, kSilently);
  REQUIRE_MESSAGE(forced.ok(), forced.error().message());
  all.GoOn();
  CHECK(all.TurnsUntil([&] { return all.Ended(); }));
  CHECK(all.PhaseOf("wipe") != OperationPhase::kSucceeded);
}

// The proof that a Prepare needs takes two turns each time: a slow card, a slow member.
TEST_CASE("turns leave the change of S alone that a reinit beside them has prepared") {
  ErrandScene all(Verb::kInitialize);
  all.Begin();
  std::atomic<bool> proves{false};
  std::atomic<bool> proved{false};
  std::atomic<int> prepares{0};
  const auto prove = [&] {
    proves = true;
    while (!proved.exchange(false)) poll(nullptr, 0, 1);
  };
  std::function<void()> again = [&] {
    all.w.pool.Before(Verb::kPrepare, [&] {
      ++prepares;
      // The first is of who comes in, the second of who holds all.
      all.w.pool.Before(Verb::kDigest, [&] {
        all.w.pool.Before(Verb::kDigest, [&] {
          again();
          prove();
        });
      });
    });
  };
  again();
  all.GoOn();
  for (int looks = 0; looks < 4000 && !all.Ended(); ++looks) {
    poll(nullptr, 0, 1);
    if (!proves.exchange(false)) continue;
    all.w.TurnsOf(all.leader, 2);  // with no renewal of R, which is another reason to begin again
    proved = true;
  }
  CheckSucceeds(all);
  CHECK(prepares <= 2);
}

}  // namespace hsmops::manager
