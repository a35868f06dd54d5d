// Writes that mirrors confirm, and plans carried out, over agents reached through bytes.
#include "libhsmops/mirror/replicated_write.h"

#include "libhsmops/mirror/apply.h"
#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using mirror::Acknowledged;
using std::chrono::seconds;

struct Writing : ThreeNodes {
  explicit Writing(const token::Profile& profile = kSmallFiles) : ThreeNodes(profile) {
    REQUIRE(a.Grant(kEpoch, 1, seconds(300)).ok());
  }
  base::Result<Acknowledged> Put(const char* name, const std::string& value, std::uint8_t op,
                                 unsigned needed) {
    std::vector<store::Write> writes;
    writes.push_back({.name = NameOf(name), .keys = KeysOf({{"k", value}}), .op_id = OpIdOf(op)});
    Need(needed);
    const mirror::SyncSet set{
        {{"b", {MemberUid(2), b.client.get()}}, {"c", {MemberUid(3), c.client.get()}}}};
    auto results =
        mirror::ReplicatedWrite("a", *a.client, set, {kEpoch, 1}, 512, std::move(writes), executor);
    REQUIRE(results.size() == 1);
    return std::move(results[0]);
  }
  // How many must confirm is the Primary's to know, by its grant.
  void Need(unsigned needed) {
    if (a.rule.k == needed && !a.rule.members.empty()) return;
    a.rule = {{MemberUid(2), MemberUid(3)}, needed};
    const auto pulse = a.agent->TakePulse();
    REQUIRE(
        a.agent->OpenGate({pulse->nonce, kEpoch, pulse->term.generation, seconds(300), {}, a.rule})
            .ok());
  }
  mirror::SyncPlan PlanNow(store::Epoch epoch = kEpoch) {
    std::bitset<store::kBuckets> all;
    all.set();
    const auto source = a.client->ReadInventory(all);
    REQUIRE(source.ok());
    return mirror::Plan(*source,
                        {{"b", b.client->ReadInventory(all)}, {"c", c.client->ReadInventory(all)}},
                        epoch, true);
  }
  mirror::ApplyReport Carry(const mirror::SyncPlan& plan, store::Epoch epoch = kEpoch) {
    return mirror::Apply(plan, *a.client,
                         {{"a", a.client.get()}, {"b", b.client.get()}, {"c", c.client.get()}},
                         {epoch, 1}, executor, {});
  }
  base::SequentialExecutor executor{1};
};

const std::string kLong(1800, 'x');

}  // namespace

TEST_CASE("an acknowledged write is on the Primary and on as many mirrors as it says") {
  Writing world;
  const auto done = world.Put("app", kLong, 1, 2);
  REQUIRE(done.ok());
  CHECK(done->nodes == std::vector<std::string>{"a", "b", "c"});
  CHECK(world.b.Seen("app") == "k=" + kLong);
  CHECK(world.a.Seen("app", true) == "k=" + kLong);
  CHECK(world.PlanNow().Equal());
}

TEST_CASE("too few confirmations are in doubt, and the same opId settles it") {
  Writing world;
  world.c.memory.Unplug();
  CHECK(world.Put("app", "1", 1, 1).ok());
  const auto doubt = world.Put("app", "2", 2, 2);
  CHECK(doubt.Is(ErrorCode::kInDoubt));
  CHECK(world.a.Seen("app", true) == "Unavailable");
  world.c.memory.Replug();
  const auto settled = world.Put("app", "2", 2, 2);
  REQUIRE(settled.ok());
  CHECK(settled->repeated);
  CHECK(settled->nodes.size() == 3);
  CHECK(world.a.Seen("app", true) == "k=2");
}

TEST_CASE(
    "a lost request is unavailable or in doubt, a lost answer of the Primary in doubt; both are "
    "settled") {
  Writing world;
  world.a.channel->lose_answer = true;
  CHECK(world.Put("app", "1", 1, 1).Is(ErrorCode::kInDoubt));
  world.a.channel->lose_answer = false;
  CHECK(world.a.Seen("app") == "k=1");
  const auto settled = world.Put("app", "1", 1, 1);
  REQUIRE(settled.ok());
  CHECK(settled->repeated);
  world.a.channel->lose_request = true;
  CHECK(world.Put("app", "2", 2, 1).Is(ErrorCode::kUnavailable));
  world.a.channel->lose_request = false;
  world.b.channel->lose_answer = true;
  const auto one = world.Put("app", "2", 2, 1);
  REQUIRE(one.ok());
  CHECK(one->nodes == std::vector<std::string>{"a", "c"});
  // For what may simply be asked again, a lost answer is no answer.
  CHECK(world.b.client->Digest().Is(ErrorCode::kUnavailable));
}

TEST_CASE("a gate that closes before the acknowledgement is in doubt") {
  Writing world;
  REQUIRE(world.b.client->Fence({{9, 9}, 1}).ok());  // a mirror that has seen a later epoch
  const auto done = world.Put("app", "1", 1, 2);
  CHECK(done.Is(ErrorCode::kInDoubt));
  CHECK(done.error().message().find("b:") != std::string::npos);
  world.clock.Advance(seconds(400));
  CHECK(world.Put("app", "1", 1, 2).Is(ErrorCode::kReadOnly));
}

TEST_CASE("a mirror that has another content for the version does not confirm") {
  Writing world;
  store::Head head;
  head.pool = kPool;
  head.name = "app";
  head.version = {kEpoch, 1};
  std::vector<store::Record> clash;
  clash.push_back(*store::Encode(head, KeysOf({{"k", "other"}}), 512));
  REQUIRE((*world.b.client->Apply({kEpoch, 1}, *world.b.client->Era(), std::move(clash)))[0].ok());
  const auto done = world.Put("app", "1", 1, 2);
  CHECK(done.Is(ErrorCode::kInDoubt));
  const auto plan = world.PlanNow();
  REQUIRE(plan.steps.size() == 1);
  CHECK(plan.steps[0].kind == mirror::Step::Kind::kAlarm);
}

TEST_CASE("sync makes everything equal: missing, older, damaged, deleted, set aside, restored") {
  for (const token::Profile* profile : {&kSmallFiles, &kSmallViews}) {
    Writing world(*profile);
    for (std::uint8_t i = 0; i < 20; ++i) {
      REQUIRE(world
                  .Put(("s" + std::to_string(i)).c_str(), i % 3 == 0 ? kLong : "v",
                       static_cast<std::uint8_t>(i + 1), 2)
                  .ok());
    }
    world.b.memory.Unplug();
    for (std::uint8_t i = 0; i < 10; ++i)
      REQUIRE(
          world.Put(("s" + std::to_string(i)).c_str(), "new", static_cast<std::uint8_t>(i + 50), 1)
              .ok());
    world.b.memory.Replug();
    std::string victim;
    for (const std::string& label : world.c.memory.Labels()) {
      if (label.starts_with("k1.h")) victim = label;
    }
    world.c.memory.Corrupt(victim, 44);
    world.c.Restart();
    auto plan = world.PlanNow();
    CHECK(plan.steps.size() >= 10);
    auto report = world.Carry(plan);
    CHECK(report.failed.empty());
    CHECK(report.copied == plan.steps.size());
    CHECK(world.PlanNow().Equal());
    CHECK(world.a.client->Digest()->root == world.b.client->Digest()->root);
    CHECK(world.a.client->Digest()->root == world.c.client->Digest()->root);

    // The Primary loses one; the epoch still runs, so a mirror gives it back.
    world.a.memory.Corrupt(world.a.memory.Labels().back(), 60);
    world.a.Restart();
    REQUIRE(world.a.Grant(kEpoch, 2, seconds(300)).ok());
    plan = world.PlanNow();
    REQUIRE(plan.steps.size() == 1);
    CHECK(plan.steps[0].kind == mirror::Step::Kind::kRestore);
    report = world.Carry(plan);
    CHECK(report.restored == 1);
    CHECK(world.PlanNow().Equal());

    // A version of an epoch that is over and that the new one never merged is set aside.
    const auto lost = world.a.Stage("lonely", "unmirrored", 200);
    REQUIRE(lost.ok());
    std::vector<store::Record> record;
    record.push_back(lost->record.Clone());
    REQUIRE(
        (*world.b.client->Apply({kEpoch, 1}, *world.b.client->Era(), std::move(record)))[0].ok());
    REQUIRE(world.a.client->Quarantine({{8, 8}, 1}, {{lost->id, lost->version}}).ok());
    plan = world.PlanNow({8, 8});
    REQUIRE(plan.steps.size() == 1);
    CHECK(plan.steps[0].kind == mirror::Step::Kind::kQuarantine);
    report = world.Carry(plan, {8, 8});
    CHECK(report.quarantined == 1);
    CHECK(TextOf(world.b.client->ReadQuarantined({lost->id, lost->version})->keys) ==
          "k=unmirrored");
    CHECK(world.PlanNow({8, 8}).Equal());
  }
}

TEST_CASE("what fails in a sync is reported and the rest goes on; the next sync ends it") {
  for (std::uint64_t call = 1; call < 90; call += 4) {
    Writing world;
    world.b.memory.Unplug();
    for (std::uint8_t i = 0; i < 6; ++i)
      REQUIRE(world
                  .Put(("s" + std::to_string(i)).c_str(), i == 2 ? kLong : "v",
                       static_cast<std::uint8_t>(i + 1), 1)
                  .ok());
    world.b.memory.Replug();
    const auto plan = world.PlanNow();
    world.b.faulty->Arm(Fault{
        .kind = call % 2 == 0 ? Fault::Kind::kFailBefore : Fault::Kind::kFailAfter, .call = call});
    const auto report = world.Carry(plan);
    CHECK(report.copied + report.failed.size() == plan.steps.size());
    world.b.faulty->Arm(std::nullopt);
    CHECK(world.Carry(world.PlanNow()).failed.empty());
    CHECK(world.PlanNow().Equal());
  }
}

}  // namespace hsmops::test
