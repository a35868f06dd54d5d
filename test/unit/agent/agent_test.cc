// The gate of an agent: who may write, and until when (protocol.md, 3).
#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using store::Epoch;

struct One {
  base::ManualClock clock;
  Node node{1, kSmallFiles, clock};
};

// Nobody else confirmed it.
mirror::Confirmation Alone(const base::Result<store::Staged>& staged) {
  return {{staged->id, staged->version}, {}};
}

std::vector<store::Record> Clone(const store::Record& record) {
  std::vector<store::Record> records;
  records.push_back(record.Clone());
  return records;
}

}  // namespace

TEST_CASE("without a grant nothing is written and nothing is read as the Primary") {
  One one;
  CHECK(one.node.Stage("app", "1", 1).Is(ErrorCode::kReadOnly));
  CHECK(one.node.Seen("app", true) == "ReadOnly");
  CHECK(one.node.Seen("app") == "absent");
  CHECK(one.node.client->Acknowledge({}).Is(ErrorCode::kReadOnly));
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  CHECK(one.node.Stage("app", "1", 1).ok());
}

TEST_CASE("the deadline counts from the nonce, and the guard is taken off") {
  One one;
  const auto pulse = one.node.client->TakePulse();
  one.clock.Advance(seconds(4));  // the manager was slow
  REQUIRE(one.node.client->OpenGate({pulse->nonce, kEpoch, 1, seconds(10), {}}).ok());
  one.clock.Advance(milliseconds(4999));
  CHECK(one.node.Stage("app", "1", 1).ok());
  one.clock.Advance(milliseconds(1));
  CHECK(one.node.Stage("app", "2", 2).Is(ErrorCode::kReadOnly));
  CHECK(one.node.Seen("app", true) == "ReadOnly");
  CHECK(!one.node.client->Status(false)->gate_open);
}

TEST_CASE("a nonce of another run, one used twice, and a duration out of range are invalid") {
  One one;
  const auto before = one.node.client->TakePulse();
  one.node.Restart();
  CHECK(one.node.client->OpenGate({before->nonce, kEpoch, 1, seconds(10), {}})
            .Is(ErrorCode::kInvalid));
  const auto status = one.node.client->TakePulse();
  for (const base::Duration duration :
       {base::Duration(0), base::Duration(-5), base::Duration(seconds(301))}) {
    CHECK(one.node.client->OpenGate({status->nonce, kEpoch, 1, duration, {}})
              .Is(ErrorCode::kInvalid));
  }
  CHECK(one.node.client->OpenGate({status->nonce, kEpoch, 1, seconds(10), {}}).ok());
  CHECK(one.node.client->OpenGate({status->nonce, kEpoch, 1, seconds(10), {}})
            .Is(ErrorCode::kInvalid));
}

TEST_CASE(
    "a token that goes away between requests closes the gate, and is read again on its return") {
  One one;
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  CHECK(one.node.agent->Watch());
  CHECK(one.node.client->Status(false)->gate_open);
  one.node.memory.Unplug();
  CHECK(!one.node.agent->Watch());
  one.node.memory.Replug();
  CHECK(one.node.agent->Watch());
  CHECK(one.node.Seen("app") == "k=1");
  CHECK(!one.node.client->Status(false)->gate_open);
  CHECK(one.node.Stage("app", "2", 2).Is(ErrorCode::kReadOnly));
}

TEST_CASE("a grant never outlives the process") {
  One one;
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  one.node.Restart();
  CHECK(one.node.Stage("app", "2", 2).Is(ErrorCode::kReadOnly));
  CHECK(one.node.client->Status(false)->primary);
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  CHECK(one.node.Seen("app", true) == "k=1");  // what was valid at the start counts as acknowledged
}

TEST_CASE("epochs: below, equal counter with another nonce, and lower generations are refused") {
  One one;
  REQUIRE(one.node.Grant({5, 50}, 3).ok());
  CHECK(one.node.Grant({4, 99}, 9).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.Grant({5, 51}, 9).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.Grant({5, 49}, 9).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.Grant({5, 50}, 2).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Fence({{4, 99}, 1}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Fence({{5, 51}, 1}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Apply({{4, 99}, 1}, 0, {}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Freeze({5, 51}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Quarantine({{4, 1}, 1}, {}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->CollectTombstones({{4, 1}, 1}, {}).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.Stage("app", "1", 1).ok());
  one.node.Restart();
  CHECK(one.node.Grant({4, 99}, 9).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.Grant({5, 50}, 2).Is(ErrorCode::kStaleEpoch));
}

TEST_CASE(
    "whoever changes something tells its generation, which is kept and only a grant is judged by") {
  One one;
  REQUIRE(one.node.Grant({5, 50}, 3).ok());
  const auto generation = [&] { return one.node.client->Status(false)->generation; };
  CHECK(one.node.client->Apply({{5, 50}, 7}, *one.node.client->Era(), {}).ok());
  CHECK(generation() == 7);
  CHECK(one.node.Stage("app", "1", 1).ok());  // and nothing else has changed
  CHECK(one.node.client->Apply({{5, 50}, 6}, *one.node.client->Era(), {}).ok());
  CHECK(one.node.client->CollectTombstones({{5, 50}, 8}, {}).ok());
  one.node.Restart();
  one.node.memory.Unplug();
  CHECK(*one.node.client->Told() == store::Term{{5, 50}, 8});  // without its token
  one.node.memory.Replug();
  CHECK(generation() == 8);
  CHECK(one.node.Grant({5, 50}, 7).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Fence({{6, 60}, 2}).ok());
  CHECK(generation() == 2);
  REQUIRE(one.node.client->Initialize({{6, 60}, 9}, true).ok());
  CHECK(generation() == 9);
  one.node.Restart();
  CHECK(generation() == 9);
}

TEST_CASE("a wipe that was asked for under a term that is over is refused, and touches nothing") {
  One one;
  REQUIRE(one.node.Grant({5, 50}, 3).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  for (const store::Term& over : {store::Term{{5, 50}, 2}, store::Term{{5, 50}, 3},
                                  store::Term{{4, 40}, 9}, store::Term{{5, 51}, 9}})
    CHECK(one.node.client->Initialize(over, true).Is(ErrorCode::kStaleEpoch));
  CHECK(one.node.client->Status(false)->secrets == 1);
  CHECK(one.node.Stage("other", "2", 2).ok());  // its gate is as it was
  CHECK(one.node.client->Initialize({{5, 50}, 4}, true).ok());
  CHECK(one.node.client->Initialize({{5, 50}, 4}, true).Is(ErrorCode::kStaleEpoch));  // once
}

TEST_CASE("a fence closes the gate for good; one of the epoch that is granted is only answered") {
  One one;
  REQUIRE(one.node.Grant({5, 50}, 3).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  auto same = one.node.client->Fence({{5, 50}, 1});
  REQUIRE(same.ok());
  CHECK(same->primary);
  CHECK(one.node.Stage("app", "2", 2).ok());
  const auto answer = one.node.client->Fence({{6, 60}, 1});
  REQUIRE(answer.ok());
  CHECK(answer->before == Epoch{5, 50});
  CHECK(answer->primary);
  CHECK(answer->lsn == 2);
  CHECK(answer->digest);
  CHECK(one.node.Stage("app", "3", 3).Is(ErrorCode::kReadOnly));
  CHECK(one.node.client->Acknowledge({}).Is(ErrorCode::kReadOnly));
  CHECK(one.node.Grant({5, 50}, 9).Is(ErrorCode::kStaleEpoch));
}

TEST_CASE(
    "a fence reaches the file even when the token is gone, and answers without an inventory") {
  One one;
  REQUIRE(one.node.Grant({5, 50}, 3).ok());
  one.node.memory.Unplug();
  const auto answer = one.node.client->Fence({{6, 60}, 1});
  REQUIRE(answer.ok());
  CHECK(!answer->digest);
  one.node.memory.Replug();
  one.node.Restart();
  CHECK(one.node.client->Status(false)->epoch == Epoch{6, 60});
  CHECK(one.node.Grant({5, 50}, 9).Is(ErrorCode::kStaleEpoch));
}

TEST_CASE(
    "what a fence of a dead process left behind on the token is believed with an empty ledger") {
  One one;
  REQUIRE(one.node.client->Fence({{6, 60}, 1}).ok());
  one.node.ledger = store::Ledger::InMemory();
  one.node.Restart();
  CHECK(one.node.client->Status(false)->epoch == Epoch{6, 60});
  CHECK(one.node.Grant({5, 50}, 9).Is(ErrorCode::kStaleEpoch));
}

TEST_CASE(
    "quiesce closes the gate and takes no grant of the epoch, for its time or until recalled") {
  for (const bool recalled : {false, true}) {
    One one;
    REQUIRE(one.node.Grant(kEpoch, 1).ok());
    REQUIRE(one.node.client->Quiesce(seconds(10)).ok());
    CHECK(one.node.Stage("app", "1", 1).Is(ErrorCode::kReadOnly));
    CHECK(one.node.Grant(kEpoch, 1).Is(ErrorCode::kReadOnly));
    CHECK(one.node.Grant(kEpoch, 2).Is(ErrorCode::kReadOnly));
    if (recalled) {
      REQUIRE(one.node.client->Quiesce({}).ok());
    } else {
      one.clock.Advance(seconds(10));
    }
    REQUIRE(one.node.Grant(kEpoch, 1).ok());
    CHECK(one.node.Stage("app", "1", 1).ok());
    REQUIRE(one.node.client->Quiesce(seconds(10)).ok());
    CHECK(one.node.Grant({kEpoch.counter + 1, 9}, 1).ok());  // another epoch is another matter
  }
}

TEST_CASE(
    "the target of a promotion is frozen, also after a restart, and opens only on the recorded "
    "digest") {
  for (const bool restart : {false, true}) {
    ThreeNodes nodes;
    REQUIRE(nodes.a.Grant({5, 50}, 1).ok());
    const auto one = nodes.a.Stage("app", "1", 1);
    const auto two = nodes.a.Stage("b", "2", 2);
    REQUIRE(nodes.b.client->Apply({{5, 50}, 1}, *nodes.b.client->Era(), Clone(one->record)).ok());
    const auto digest = nodes.b.client->Freeze({6, 60});
    REQUIRE(digest.ok());
    if (restart) nodes.b.Restart();
    CHECK(nodes.b.client->Apply({{6, 60}, 1}, *nodes.b.client->Era(), Clone(two->record))
              .Is(ErrorCode::kReadOnly));
    CHECK(nodes.b.client->Status(false)->frozen == Epoch{6, 60});
    CHECK(nodes.b.Seen("b") == "absent");
    CHECK(nodes.b.Grant({6, 60}, 1, seconds(10), base::Digest{1}).Is(ErrorCode::kCorrupt));
    CHECK(nodes.b.Stage("x", "1", 9).Is(ErrorCode::kReadOnly));
    REQUIRE(nodes.b.Grant({6, 60}, 1, seconds(10), *digest).ok());
    CHECK(!nodes.b.client->Status(false)->frozen);
    CHECK(nodes.b.Stage("x", "1", 9).ok());
    // A later promotion thaws one that was not the one.
    REQUIRE(nodes.c.client->Freeze({6, 60}).ok());
    CHECK(nodes.c.client->Apply({{7, 70}, 1}, *nodes.c.client->Era(), Clone(two->record)).ok());
    CHECK(nodes.c.Seen("b") == "k=2");
  }
}

// Of the mutant kNotFrozen: no seed of the simulator finds it, since the digest in R does the same.
TEST_CASE("a target that took a record after it was frozen does not open") {
  ThreeNodes nodes;
  REQUIRE(nodes.a.Grant({5, 50}, 1).ok());
  const auto one = nodes.a.Stage("app", "1", 1);
  const auto digest = nodes.b.client->Freeze({6, 60});
  REQUIRE(digest.ok());
  base::SetMutant(base::Mutant::kNotFrozen);
  const auto late = nodes.b.client->Apply({{6, 60}, 1}, *nodes.b.client->Era(), Clone(one->record));
  base::SetMutant(base::Mutant::kNone);
  REQUIRE(late.ok());
  CHECK(nodes.b.Grant({6, 60}, 1, seconds(10), *digest).Is(ErrorCode::kCorrupt));
}

TEST_CASE("the Primary reads only what is acknowledged") {
  for (const token::Profile* profile : {&kSmallFiles, &kSmallViews}) {
    base::ManualClock clock;
    Node node(1, *profile, clock);
    REQUIRE(node.Grant(kEpoch, 1).ok());
    const auto first = node.Stage("app", "1", 1);
    CHECK(node.Seen("app", true) == "Unavailable");
    REQUIRE(node.client->Acknowledge({Alone(first)}).ok());
    CHECK(node.Seen("app", true) == "k=1");
    const auto second = node.Stage("app", "2", 2);
    CHECK(node.Seen("app", true) == "Unavailable");
    CHECK(node.Seen("app") == "k=2");  // marked, as a mirror's
    node.memory.Unplug();
    CHECK(node.Seen("app", true) == "Unavailable");
    node.memory.Replug();
    CHECK(node.Seen("app", true) == "Unavailable");  // a new view acknowledges nothing
    REQUIRE(node.client->Acknowledge({Alone(second)}).ok());
    CHECK(node.Seen("app", true) == "k=2");
    // A late acknowledgement of the older one takes nothing back.
    REQUIRE(node.client->Acknowledge({Alone(first)}).ok());
    CHECK(node.Seen("app", true) == "k=2");
    CHECK(node.client->Acknowledge({{{first->id, {kEpoch, 99}}, {}}}).Is(ErrorCode::kInternal));
  }
}

TEST_CASE("a version of the current epoch is never set aside") {
  One one;
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  const auto staged = one.node.Stage("app", "1", 1);
  CHECK(one.node.client->Quarantine({kEpoch, 1}, {{staged->id, staged->version}})
            .Is(ErrorCode::kInvalid));
  CHECK(one.node.client->Quarantine({{8, 1}, 1}, {{staged->id, staged->version}}).ok());
  CHECK(one.node.Seen("app") == "absent");
  CHECK(TextOf(one.node.client->ReadQuarantined({staged->id, staged->version})->keys) == "k=1");
  CHECK(one.node.client->DiscardQuarantined({staged->id, staged->version}).ok());
}

TEST_CASE(
    "an emptied token is never a member that can be granted, fenced for its content, or read") {
  One one;
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  one.node.memory.Wipe();
  one.node.Restart();
  CHECK(one.node.client->Status(false)->standing == store::Standing::kEmptied);
  CHECK(!one.node.client->Status(false)->digest);
  CHECK(!one.node.Grant(kEpoch, 2).ok());
  CHECK(!one.node.client->Fence({{9, 9}, 1})->digest);
  CHECK(one.node.Seen("app") == "Unavailable");
  CHECK(!one.node.client->Digest().ok());
  CHECK(!one.node.client->ReadInventory({}).ok());
}

TEST_CASE("a live probe climbs every rung, and finds a token that was put right again") {
  One one;
  auto status = one.node.client->Status(true);
  REQUIRE(status->probe.size() == 6);
  for (const mirror::ProbeStep& step : status->probe)
    CHECK(step.outcome == mirror::ProbeStep::Outcome::kPassed);
  one.node.memory.Unplug();
  status = one.node.client->Status(true);
  CHECK(status->probe[0].outcome == mirror::ProbeStep::Outcome::kFailed);
  CHECK(status->probe[5].outcome == mirror::ProbeStep::Outcome::kSkipped);
  one.node.memory.Replug();
  one.node.memory.SetPin(token::PinState::kLocked);
  CHECK(one.node.client->Status(true)->probe[1].outcome == mirror::ProbeStep::Outcome::kFailed);
  one.node.memory.SetPin(token::PinState::kAccepted);
  CHECK(one.node.client->Status(true)->probe[5].outcome == mirror::ProbeStep::Outcome::kPassed);
  one.node.memory.SetIdentity({"khsm", "nobody", "memory", "another"});
  one.node.Restart();
  CHECK(one.node.client->Status(true)->standing == store::Standing::kForeign);
  one.node.memory.SetIdentity({"khsm", "nobody", "memory", "serial-1"});
  CHECK(one.node.client->Status(true)->standing == store::Standing::kMember);
  for (std::uint64_t call = 1; call < 15; ++call) {
    one.node.faulty->Arm(Fault{.call = call, .ends_view = call % 2 == 0});
    CHECK(one.node.client->Status(true).ok());
    one.node.faulty->Arm(std::nullopt);
    CHECK(one.node.client->Status(true)->probe[5].outcome == mirror::ProbeStep::Outcome::kPassed);
  }
}

TEST_CASE("every request comes through bytes as it is, and bytes that are none are answered") {
  One one;
  REQUIRE(one.node.Grant(kEpoch, 1).ok());
  REQUIRE(one.node.Stage("app", "1", 1).ok());
  CHECK(one.node.client->Digest()->root == one.node.agent->Digest()->root);
  const auto direct = one.node.agent->Status(false);
  const auto through = one.node.client->Status(false);
  CHECK(through->member == direct->member);
  CHECK(through->identity == direct->identity);
  CHECK(through->gate_open == direct->gate_open);
  CHECK(through->secrets == 1);
  CHECK(one.node.client->Verify()->secrets == 1);
  CHECK(one.node.client->Collect(seconds(1)).ok());
  CHECK(one.node.client->Collect(base::Duration::max()).ok());
  CHECK(one.node.client->Collect(base::Duration::min()).ok());
  CHECK(one.node.client->ReadLegacy("app").Is(ErrorCode::kNotFound));
  for (int verb = 0; verb < 256; ++verb) {
    for (const std::size_t size : {0U, 1U, 7U, 40U}) {
      base::SecretBytes request;
      request.Append(static_cast<std::uint8_t>(verb));
      for (std::size_t i = 0; i < size; ++i) request.Append(static_cast<std::uint8_t>(0xFF));
      CHECK(!agent::Serve(*one.node.agent, request.view()).empty());
    }
  }
  CHECK(!agent::Serve(*one.node.agent, {}).empty());
}

}  // namespace hsmops::test
