// What is done late, by somebody whose view is an old one, takes nothing back that was acknowledged
// since.
#include <doctest/doctest.h>

#include "libhsmops/manager/operation_log.h"
#include "libhsmops/manager/reinit.h"
#include "libhsmops/manager/set_aside.h"
#include "libhsmops/manager/sync.h"
#include "libhsmops/manager/writer.h"
#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

using base::ErrorCode;

// By a command, which gives the Primary its grant itself.
base::Result<mirror::Acknowledged> PutByCommand(ManagedPool& w, const char* name,
                                                const std::string& value, std::uint8_t op) {
  auto pool = w.pool.Open();
  auto writer = Writer::Open(*pool);
  REQUIRE_MESSAGE(writer.ok(), writer.error().message());
  return writer->Write(WriteOf(name, value, op), nullptr)[0];
}

}  // namespace

TEST_CASE(
    "a leader that was stopped says nothing against a promotion that another brought to its end") {
  ManagedPool w({"a", "b"});
  auto late = w.pool.Open();
  PromotionOptions options;
  options.target = "b";
  options.operation = "op";
  w.pool.Before(agent::Verb::kDigest, [&] {
    const auto done = Promote(*w.pool.Open(), options, kSilently);
    REQUIRE_MESSAGE(done.ok(), done.error().message());
    w.Grant();
  });
  CHECK_FALSE(Promote(*late, options, kSilently).ok());
  CHECK(w.pool.holder() == "b");
  const auto history = w.pool.Open()->device().status.history;
  REQUIRE(history.size() == 1);
  CHECK(history[0].outcome == "Succeeded");
  CHECK(w.pool.Told("FailoverAborted") == 0);
}

TEST_CASE("an operation whose name was used before fails as loud as any") {
  ManagedPool w({"a", "b", "c"});
  PromotionOptions options;
  options.target = "b";
  options.operation = "op";
  const auto first = Promote(*w.pool.Open(), options, kSilently);
  REQUIRE_MESSAGE(first.ok(), first.error().message());
  w.Turns(4);
  options.target = "c";
  w.pool.Before(agent::Verb::kFence, [&] { w.pool.Reach("c", Reached::kNo); });
  CHECK_FALSE(Promote(*w.pool.Open(), options, kSilently).ok());
  CHECK(w.pool.Open()->device().status.history.size() == 2);
  CHECK(w.pool.Told("FailoverAborted") == 1);
}

TEST_CASE("a sync that was stopped does not collect what a member taken in since has not got") {
  ManagedPool w({"a", "b", "c"});
  // c is no node yet, and not on record.
  std::string endpoint;
  w.EditMirroring([&](cluster::MirroringSpec& m) {
    endpoint = m.endpoints.at("c");
    m.endpoints.erase("c");
  });
  REQUIRE(ChangeSyncSet(*w.pool.Open(), {"b"}).ok());
  REQUIRE(w.pool.Open()->ExpelAbsent().ok());
  w.Grant();
  REQUIRE(w.Put("a", "app", "secret").ok());

  auto stopped = w.pool.Open();
  bool came = false;
  w.pool.Before(agent::Verb::kDigest, [&] {  // just before it compares
    came = true;
    w.EditMirroring([&](cluster::MirroringSpec& m) { m.endpoints["c"] = endpoint; });
    const auto relay = [&](const std::string& step, const std::string&) {
      if (step == "copy") w.Grant();
    };
    const auto filled = Reinit(*w.pool.Open(), {"c"}, relay, nullptr);
    REQUIRE_MESSAGE(filled.ok(), filled.error().message());
    w.Grant();
    (void)Sync(*w.pool.Open(), {}, nullptr);
    w.Grant();
    w.pool.Reach("c", Reached::kNo);  // for a moment
    const auto deleted = w.Put("a", "app", "");
    REQUIRE_MESSAGE(deleted.ok(), deleted.error().message());  // by b
    CHECK(w.Seen("a", "app") == "absent");
    w.pool.Reach("c", Reached::kYes);
  });
  (void)Sync(*stopped, {}, nullptr);
  CHECK(came);
  w.Turns(6);
  CHECK(w.Seen("a", "app") == "absent");
}

TEST_CASE("a command's write that its mirror gets late does not bring back what was deleted") {
  ManagedPool w({"a", "b"});
  w.pool.clock().Advance(std::chrono::seconds(30));  // no grant any more: no manager runs
  auto pool = w.pool.Open();
  auto writer = Writer::Open(*pool);
  REQUIRE_MESSAGE(writer.ok(), writer.error().message());
  bool came = false;
  const auto delete_it = [&] {
    if (std::exchange(came, true)) return;
    w.Grant();  // managers are started
    const auto deleted = w.Put("a", "app", "");
    REQUIRE_MESSAGE(deleted.ok(), deleted.error().message());
    const auto synced = Sync(*w.pool.Open(), {}, nullptr);
    REQUIRE(synced.ok());
    CHECK(synced->collected == 1);
    w.Grant();
    CHECK(w.Seen("a", "app") == "absent");
  };
  // Between what the Primary takes and what its mirror does, wherever an era is asked.
  w.pool.Before(agent::Verb::kStage, [&] { w.pool.Before(agent::Verb::kEra, delete_it); });
  w.pool.Before(agent::Verb::kApply, delete_it);
  (void)writer->Write(WriteOf("app", "old", 200), nullptr);
  CHECK(came);
  w.Turns(6);
  CHECK(w.Seen("a", "app") == "absent");
}

TEST_CASE("a Discard that is begun again discards what it had begun with, and nothing else") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  const auto fail_over = [&](const std::string& from, const std::string& to) {
    w.pool.Reach(from, Reached::kNo);
    const auto report = w.ForceTo(to);
    REQUIRE_MESSAGE(report.ok(), report.error().message());
    w.pool.Reach(from, Reached::kYes);
    w.Turns(4);
  };
  // In doubt, on a alone: set aside when a is back.
  w.pool.SetApart(true);
  CHECK(w.Put("a", "app", "in doubt").Is(ErrorCode::kInDoubt));
  w.pool.SetApart(false);
  fail_over("a", "b");
  REQUIRE(FindSetAside(*w.pool.Open(), {"app", "", ""})->found.size() == 1);
  std::string begun;
  const auto note = [&](const std::string&, const std::string& message) { begun = message; };
  // Its leader is stopped before it can say so.
  REQUIRE(DiscardSetAside(*w.pool.Open(), {"app", "", ""}, "", note).ok());
  // b writes on alone, acknowledged, and is lost; a person accepts the loss, and b is back.
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("c", Reached::kNo);
  w.Turns(20);
  const auto alone = w.Put("b", "app", "acknowledged");
  REQUIRE_MESSAGE(alone.ok(), alone.error().message());
  w.pool.Reach("a", Reached::kYes);
  w.pool.Reach("c", Reached::kYes);
  fail_over("b", "a");
  REQUIRE(FindSetAside(*w.pool.Open(), {"app", "", ""})->found.size() == 1);
  CHECK(DiscardSetAside(*w.pool.Open(), {"app", "", ""}, begun, kSilently).ok());
  CHECK(FindSetAside(*w.pool.Open(), {"app", "", ""})->found.size() == 1);
}

TEST_CASE("a forced failover that was asked for long ago is done by nobody") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  SUBCASE("by a command that was killed before it did anything") {
    REQUIRE(OperationLog::Begin(*w.pool.Open(), FailoverTo("b", true), "a person").ok());
  }
  SUBCASE("of managers that had been killed") { w.pool.Ask("forced", FailoverTo("b", true)); }
  w.pool.clock().Advance(std::chrono::hours(24));
  // Commands go on writing, also while b is away: a alone has what is acknowledged then.
  w.pool.Reach("b", Reached::kNo);
  const auto put = PutByCommand(w, "app", "a day later", 99);
  REQUIRE_MESSAGE(put.ok(), put.error().message());
  // The site restarts: b and the managers are up a moment before a.
  w.pool.Reach("b", Reached::kYes);
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 5);
  w.pool.Reach("a", Reached::kYes);
  w.Turns(6);
  CHECK(w.Seen(w.pool.holder(), "app") == "a day later");
}

TEST_CASE("an init that comes late does not make an emptied member count again") {
  ManagedPool w({"a", "b"});
  store::Term of_the_init = w.pool.Open()->term();
  of_the_init.generation = 1;  // as it was when it was stopped before its request to b
  REQUIRE(w.pool.Open()->SyncSetNodes().size() == 1);
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.token("b").Wipe();  // swapped for a blank one
  w.pool.token("b").Unplug();
  w.pool.token("b").Replug();
  REQUIRE(w.pool.member("b").Status(true)->standing == store::Standing::kEmptied);
  CHECK(w.pool.member("b").Initialize(of_the_init, false).Is(ErrorCode::kStaleEpoch));
  w.pool.Reach("a", Reached::kNo);
  Controller controller(w.pool.world(), "default", "d");
  w.TurnsOf(controller, 60);
  CHECK(w.pool.holder() == "a");
}

TEST_CASE("a leader that was stopped before P2 does not promote after a pause") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("a", Reached::kNo);
  Controller stopped(w.pool.world(), "default", "d");
  bool came = false;
  for (int turn = 0; turn < 20 && !came; ++turn) {
    w.pool.Before(agent::Verb::kDigest, [&] {  // where it foresees the merge
      came = true;
      w.pool.Reach("a", Reached::kYes);
      cluster::HSMOperationSpec pause;
      pause.type = cluster::OperationType::kPause;
      pause.until = w.pool.clock().Wall() + std::chrono::hours(8);
      w.pool.Ask("pause", pause);
      w.Turns(3);  // of the next leader
      REQUIRE(w.Put("a", "app", "2").ok());
    });
    w.TurnsOf(stopped, 1);
  }
  CHECK(came);
  CHECK(w.pool.holder() == "a");
  CHECK(w.Seen("a", "app") == "2");
}

}  // namespace hsmops::manager
