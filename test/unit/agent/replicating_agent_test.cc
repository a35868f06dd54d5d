// A Primary that reaches its mirrors itself: W0 to W8, joint changes of S, and what it serves.
#include <poll.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "libhsmops/mirror/apply.h"
#include "test/unit/agent/reaching.h"

namespace hsmops::test {
namespace {

using mirror::SyncRule;
using std::chrono::seconds;

// What is brought about by another thread, which is waited for.
bool Comes(const std::function<bool()>& what) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (!what()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

// Holds up whoever passes, from Close until it is opened.
class Barrier {
 public:
  ~Barrier() { Open(); }
  void Close() { Set(true); }
  void Open() { Set(false); }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++at_it_;
    changed_.wait(lock, [&] { return !closed_; });
    --at_it_;
  }
  int at_it() {
    const std::lock_guard lock(mutex_);
    return at_it_;
  }

 private:
  void Set(bool closed) {
    const std::lock_guard lock(mutex_);
    closed_ = closed;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int at_it_ = 0;
};

}  // namespace

TEST_CASE("a put is acknowledged when the members that its grant names confirm") {
  Reaching world;
  CHECK(world.Put("app", "1", 1).Is(ErrorCode::kReadOnly));
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  const auto done = world.Put("app", "1", 1);
  REQUIRE(done.ok());
  CHECK(done->nodes.size() >= 2);  // as soon as one has confirmed
  CHECK(done->nodes.front() == "a");
  CHECK(Comes([&] { return world.b.Seen("app") == "k=1" && world.c.Seen("app") == "k=1"; }));
  CHECK(world.Seen("app") == "k=1");
  world.channels["b"]->lose_request = true;
  CHECK(world.Put("app", "2", 2).ok());  // c is enough
  REQUIRE(world.Grant(2, world.b_alone).ok());
  CHECK(world.Put("app", "3", 3).Is(ErrorCode::kInDoubt));
  CHECK(world.Seen("app") == "Unavailable");  // written and not acknowledged
  world.channels["b"]->lose_request = false;
  world.clock.Advance(seconds(5));  // b was left alone for a while
  const auto settled = world.Put("app", "3", 3);
  REQUIRE(settled.ok());
  CHECK(settled->repeated);
}

TEST_CASE("durability Strict with too few mirrors in S takes no write, and touches nothing") {
  Reaching world;
  REQUIRE(world.Grant(1, {{}, 1, false, true}).ok());
  CHECK(world.Put("app", "1", 1).Is(ErrorCode::kReadOnly));
  for (const std::string& label : world.a.memory.Labels()) CHECK(!label.starts_with("k1.h"));
  REQUIRE(world.Grant(1, {{}, 1}).ok());  // Available
  CHECK(world.Put("app", "1", 1).ok());
}

TEST_CASE("durability Strict does not refuse what an earlier try has written") {
  Reaching world;
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2, false, true}).ok());
  REQUIRE(world.Put("warm", "1", 9).ok());
  world.channels["b"]->lose_request = true;
  REQUIRE(world.Put("app", "1", 1).Is(ErrorCode::kInDoubt));
  CHECK(world.Put("app", "1", 1).Is(ErrorCode::kInDoubt));
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kReadOnly));
  CHECK(world.Put("other", "1", 1).Is(ErrorCode::kReadOnly));
}

TEST_CASE("policy Active wants every member of S") {
  Reaching world;
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 1, true}).ok());
  (void)world.agent->Put({}, {});  // makes the channels: nothing to write
  CHECK(world.Put("app", "1", 1).ok());
  world.channels["c"]->lose_request = true;
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
}

TEST_CASE("after prepare the old rule and the new one hold, until a grant of a higher generation") {
  Reaching world;
  REQUIRE(world.Grant(1, world.b_alone).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  CHECK(world.c.Seen("app") == "absent");
  // c lacks what was acknowledged: it is brought up to date on the way.
  REQUIRE(world.agent->Prepare({kEpoch, 1}, world.c_alone, world.peers).ok());
  CHECK(world.c.Seen("app") == "k=1");
  world.channels["c"]->lose_request = true;
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
  REQUIRE(world.Grant(1, world.b_alone).ok());  // a renewal ends nothing
  world.clock.Advance(seconds(5));
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
  world.channels["c"]->lose_request = false;
  world.clock.Advance(seconds(1));
  REQUIRE(world.Grant(1, world.b_alone).ok());
  world.clock.Advance(seconds(4));
  world.channels["b"]->lose_request = true;
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));  // the old one holds too
  REQUIRE(world.Grant(2, world.c_alone).ok());
  CHECK(world.Put("app", "2", 2).ok());
}

TEST_CASE("a prepare that cannot be proved is refused and leaves nothing behind") {
  Reaching world;
  REQUIRE(world.Grant(1, world.b_alone).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  world.c.memory.Unplug();
  CHECK(world.agent->Prepare({kEpoch, 1}, world.c_alone, world.peers).Is(ErrorCode::kUnavailable));
  // A newcomer must hold everything even where the rule would do without it.
  CHECK(
      world.agent->Prepare({kEpoch, 1}, world.one_of_two, world.peers).Is(ErrorCode::kUnavailable));
  CHECK(world.Put("app", "2", 2).ok());
  CHECK(world.agent->Prepare({kEpoch, 0}, world.b_alone, world.peers).Is(ErrorCode::kStaleEpoch));
  CHECK(world.agent->Prepare({kEpoch, 2}, world.b_alone, world.peers).Is(ErrorCode::kStaleEpoch));
  CHECK(world.agent->Prepare({{9, 9}, 1}, world.b_alone, world.peers).Is(ErrorCode::kStaleEpoch));
}

TEST_CASE("a prepare without a grant holds against a late grant of the generation it names") {
  Reaching world;
  REQUIRE(world.agent->Fence({kEpoch, 3}).ok());
  REQUIRE(world.agent->Prepare({kEpoch, 3}, world.c_alone, world.peers).ok());
  REQUIRE(world.Grant(3, world.b_alone).ok());  // was under way
  (void)world.Put("warm", "1", 9);
  world.channels["c"]->lose_request = true;
  CHECK(world.Put("app", "1", 1).Is(ErrorCode::kInDoubt));
}

TEST_CASE("what was valid at the start is served only when S holds it too") {
  Reaching world;
  REQUIRE(world.Grant(1, world.b_alone).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  world.b.memory.Unplug();
  CHECK(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
  world.Restart();
  REQUIRE(world.Grant(1, world.b_alone).ok());
  CHECK(world.Seen("app") == "Unavailable");
  world.b.memory.Replug();
  // Mirrors that hang are not asked again by every read.
  CHECK(world.Seen("app") == "Unavailable");
  world.clock.Advance(seconds(1));
  CHECK(world.Seen("app") == "k=2");
  CHECK(world.b.Seen("app") == "k=2");
}

TEST_CASE("one damaged record that was never acknowledged does not keep the others from readers") {
  Reaching world;
  REQUIRE(world.Grant(1, world.b_alone).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  const std::vector<std::string> before = world.a.memory.Labels();
  world.b.memory.Unplug();
  REQUIRE(world.Put("torn", "2", 2).Is(ErrorCode::kInDoubt));
  for (const std::string& label : world.a.memory.Labels()) {
    if (std::ranges::find(before, label) == before.end()) world.a.memory.Corrupt(label, 40);
  }
  world.b.memory.Replug();
  world.Restart();
  REQUIRE(world.Grant(1, world.b_alone).ok());
  CHECK(world.Seen("app") == "k=1");
  CHECK(world.Seen("torn") == "Corrupt");
}

TEST_CASE("a read of what is in doubt waits for no mirror that is known not to answer") {
  Reaching world;
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
  REQUIRE(world.Put("warm", "1", 9).ok());
  REQUIRE(world.Seen("warm") == "k=1");
  world.channels["b"]->lose_request = true;
  REQUIRE(world.Put("app", "1", 1).Is(ErrorCode::kInDoubt));
  Barrier barrier;
  world.channels["b"]->before = [&] { barrier.Pass(); };
  barrier.Close();
  {
    std::atomic<bool> answered{false};
    std::jthread reader([&] {
      CHECK(world.Seen("app") == "Unavailable");
      answered = true;
    });
    CHECK(Comes([&] { return answered || barrier.at_it() > 0; }));
    CHECK(barrier.at_it() == 0);
    barrier.Open();
  }
  world.channels["b"]->lose_request = false;
  world.clock.Advance(seconds(5));
  CHECK(world.Seen("app") == "k=1");
}

TEST_CASE("puts at once share a batch, and each gets its own answer") {
  Reaching world;
  // What is written again before a stream knows its mirror's era is left to a sync.
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
  REQUIRE(world.Put("warm", "1", 200).ok());
  REQUIRE(world.Grant(2, world.one_of_two).ok());
  constexpr int kWriters = 8;
  std::vector<std::string> seen(kWriters);
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&world, &seen, i] {
        std::vector<store::Write> writes;
        const std::string name = "n" + std::to_string(i % 4);  // two of each name
        writes.push_back({.name = *store::SecretName::Parse(name),
                          .keys = KeysOf({{"k", std::to_string(i)}}),
                          .op_id = OpIdOf(static_cast<std::uint8_t>(i + 1))});
        const auto results = world.agent->Put(world.agent->TakePulse()->stamp, std::move(writes));
        seen[static_cast<std::size_t>(i)] = results.ok() && results->at(0).ok() ? "ok" : "refused";
      });
    }
  }
  CHECK(seen == std::vector<std::string>(kWriters, "ok"));
  CHECK(Comes([&] { return world.agent->Digest()->root == world.b.client->Digest()->root; }));
  CHECK(Comes([&] { return world.agent->Digest()->root == world.c.client->Digest()->root; }));
  CHECK(world.agent->Put({}, {}).ok());
}

TEST_CASE("a put that comes late is not done again, and one that was never done is not done late") {
  Reaching world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  const mirror::Stamp stamp = world.agent->TakePulse()->stamp;
  REQUIRE(world.Put("app", "old", 1, stamp).ok());
  for (std::uint8_t i = 2; i < 8; ++i) REQUIRE(world.Put("app", "new", i).ok());
  // A copy of the first request, that was under way all the time.
  CHECK(world.Put("app", "old", 1, stamp).Is(ErrorCode::kConflict));
  CHECK(world.Put("app", "new", 7, stamp)->repeated);
  world.clock.Advance(seconds(11));
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  CHECK(world.Put("app", "old", 1, stamp).Is(ErrorCode::kConflict));
  CHECK(world.Put("other", "never done", 20, stamp).Is(ErrorCode::kConflict));
  CHECK(world.Put("app", "new", 7, stamp)->repeated);
  CHECK(world.Seen("app") == "k=new");
  CHECK(world.Seen("other") == "absent");
  const mirror::Stamp before = world.agent->TakePulse()->stamp;
  world.Restart();
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  CHECK(world.Put("other", "of another run", 21, before).Is(ErrorCode::kConflict));
}

TEST_CASE("a grant is renewed and a pulse taken while a batch waits for its mirrors") {
  Reaching world;
  REQUIRE(world.Grant(1, world.b_alone).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  bool renewed = false;
  world.channels["b"]->before = [&] {
    renewed = world.Grant(1, world.b_alone).ok() && world.agent->TakePulse()->gate_open;
  };
  CHECK(world.Put("app", "2", 2).ok());
  CHECK(renewed);
}

// b's agent is reached and does not answer, until the barrier opens.
struct HangingB : Reaching {
  HangingB() {
    REQUIRE(Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
    REQUIRE(Put("warm", "1", 200).ok());  // makes the channels
    channels["b"]->before = [this] { barrier.Pass(); };
    barrier.Close();
  }
  ~HangingB() { barrier.Open(); }
  // Begins a put, which b has to confirm.
  void BeginPut() {
    REQUIRE(Grant(2, b_alone).ok());
    writer = std::jthread([this] { done = Put("app", "1", 1); });
    REQUIRE(Comes([&] { return barrier.at_it() > 0; }));
  }
  base::Result<mirror::Acknowledged> EndPut() {
    writer.join();
    return *std::move(done);
  }
  Barrier barrier;

 private:
  std::optional<base::Result<mirror::Acknowledged>> done;
  std::jthread writer;  // ends with the test, however that ends: nothing holds b up then
};

TEST_CASE(
    "a put does not wait for a mirror that hangs when others are enough, which gets it later") {
  HangingB world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  for (std::uint8_t i = 1; i < 10; ++i) {
    const auto done = world.Put("app", std::to_string(i), i);
    REQUIRE(done.ok());
    CHECK(done->nodes == std::vector<std::string>{"a", "c"});
  }
  CHECK(world.b.Seen("app") == "absent");
  const int calls = world.channels["b"]->calls;
  world.barrier.Open();
  CHECK(Comes([&] { return world.b.Seen("app") == "k=9"; }));
  CHECK(world.channels["b"]->calls > calls);  // in order: a name stands in one request once
}

TEST_CASE("a mirror that falls too far behind is left out, and nothing is kept for it") {
  HangingB world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  const int puts = static_cast<int>(agent::kMaxBacklog) + 20;
  for (int i = 0; i < puts; ++i)
    REQUIRE(world.Put("app", std::to_string(i), static_cast<std::uint8_t>(i)).ok());
  world.barrier.Open();
  CHECK(Comes([&] { return world.b.Seen("app") == "k=" + std::to_string(agent::kMaxBacklog); }));
  // A change of S finds what it lacks, and brings it.
  REQUIRE(world.agent->Prepare({kEpoch, 1}, world.b_alone, world.peers).ok());
  CHECK(world.b.Seen("app") == "k=" + std::to_string(puts - 1));
}

TEST_CASE("what a mirror is behind by comes to it though deletions were collected meanwhile") {
  HangingB world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  std::uint8_t op = 1;
  for (const char* name : {"one", "two", "three"}) REQUIRE(world.Put(name, "1", op++).ok());
  const std::uint64_t era = *world.b.client->Era();
  const store::IdVersion gone{store::IdOf(kPool, NameOf("gone")), {kEpoch, 1}};
  REQUIRE(world.b.client->CollectTombstones({kEpoch, 1}, {gone}).ok());
  REQUIRE(*world.b.client->Era() != era);
  world.barrier.Open();
  for (const char* name : {"one", "two", "three"})
    CHECK(Comes([&] { return world.b.Seen(name) == "k=1"; }));
}

TEST_CASE("a put that waits for a mirror goes by the sync set that the leader makes meanwhile") {
  HangingB world;
  world.BeginPut();
  REQUIRE(world.agent->Prepare({kEpoch, 2}, world.c_alone, world.peers).ok());
  CHECK(world.c.Seen("app") == "k=1");
  REQUIRE(world.Grant(3, world.c_alone).ok());
  const auto done = world.EndPut();
  REQUIRE(done.ok());
  CHECK(done->nodes == std::vector<std::string>{"a", "c"});
}

TEST_CASE("puts do not wait for a mirror that hangs on its way into the sync set") {
  HangingB world;
  REQUIRE(world.Grant(2, world.c_alone).ok());
  std::atomic<bool> put{false};
  std::jthread leader(
      [&] { CHECK(world.agent->Prepare({kEpoch, 2}, world.one_of_two, world.peers).ok()); });
  REQUIRE(Comes([&] { return world.barrier.at_it() > 0; }));
  std::jthread writer([&] {
    CHECK(world.Put("app", "1", 1).ok());
    put = true;
  });
  CHECK(Comes([&] { return put.load(); }));
  world.barrier.Open();
}

TEST_CASE("a fence ends the waiting for a mirror, and the put is in doubt") {
  HangingB world;
  world.BeginPut();
  REQUIRE(world.agent->Fence({{kEpoch.counter + 1, 5}, 3}).ok());
  CHECK(world.EndPut().Is(ErrorCode::kInDoubt));
}

TEST_CASE(
    "what a mirror is sent late does not bring back what was deleted and collected meanwhile") {
  for (const bool mutant : {false, true}) {
    HangingB world;
    REQUIRE(world.Grant(1, world.one_of_two).ok());
    REQUIRE(world.Put("app", "1", 1).ok());
    REQUIRE(world.Grant(2, world.c_alone).ok());  // b is out of S
    std::vector<store::Write> deletion;
    deletion.push_back({.name = NameOf("app"), .remove = true, .op_id = OpIdOf(2)});
    const auto deleted = world.agent->Put(world.agent->TakePulse()->stamp, std::move(deletion));
    REQUIRE((deleted.ok() && (*deleted)[0].ok()));
    // A sync brings it to b by another way, sees that everybody has it, and collects.
    const store::Id id = store::IdOf(kPool, NameOf("app"));
    auto record = world.agent->ReadRecords({id});
    REQUIRE((record.ok() && (*record)[0].ok()));
    std::vector<store::Record> records;
    records.push_back(*std::move((*record)[0]));
    REQUIRE(world.b.client->Apply({kEpoch, 1}, *world.b.client->Era(), std::move(records)).ok());
    const std::vector<store::IdVersion> dead{{id, (*deleted)[0]->version}};
    for (mirror::Member* member : {static_cast<mirror::Member*>(world.b.client.get()),
                                   static_cast<mirror::Member*>(world.c.client.get()),
                                   static_cast<mirror::Member*>(world.agent.get())})
      REQUIRE(member->CollectTombstones({kEpoch, 1}, dead).ok());
    if (mutant) base::SetMutant(base::Mutant::kEraIgnored);
    world.barrier.Open();
    if (mutant) {
      CHECK(Comes([&] { return world.b.Seen("app") == "k=1"; }));
      base::SetMutant(base::Mutant::kNone);
      continue;
    }
    REQUIRE(world.Grant(3, world.one_of_two).ok());
    REQUIRE(world.Put("other", "1", 3).ok());
    CHECK(Comes([&] { return world.b.Seen("other") == "k=1"; }));  // and so all before it
    CHECK(world.b.Seen("app") == "absent");
  }
}

TEST_CASE("a mirror that missed one batch is asked again when the Primary is looked at") {
  Reaching world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  REQUIRE(world.Put("app", "1", 1).ok());
  REQUIRE(Comes([&] { return world.b.Seen("app") == "k=1" && world.c.Seen("app") == "k=1"; }));
  world.channels["b"]->lose_request = true;
  REQUIRE(world.Put("app", "2", 2).ok());  // c is enough
  const auto unreached = [&] {
    return world.agent->Status(false)->unreached.contains(MemberUid(2));
  };
  REQUIRE(Comes(unreached));
  world.channels["b"]->lose_request = false;
  world.clock.Advance(seconds(1));  // nothing is written any more
  CHECK(Comes([&] { return !unreached(); }));
}

// The barrier of the next write and the new view after it.
void FailTheBarrier(Node& node, int barrier) {
  node.faulty->Arm(
      token::Fault{token::Fault::Kind::kFailBefore, static_cast<std::uint64_t>(barrier), 2, false});
}

TEST_CASE("what a second try or a read acknowledges is on stable storage") {
  for (const bool by_read : {true, false}) {
    CAPTURE(by_read);
    Reaching world;
    REQUIRE(world.Grant(1, {{}, 1}).ok());  // S is empty, durability Available
    REQUIRE(world.Put("app", "1", 1).ok());
    REQUIRE(world.Seen("app") == "k=1");
    FailTheBarrier(world.a, 4);
    REQUIRE(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
    world.a.faulty->Arm({});
    if (by_read) {
      REQUIRE(world.Seen("app") == "k=2");  // although the view has to be made anew
    } else {
      REQUIRE(world.Put("app", "2", 2).ok());
    }
    world.agent.reset();
    world.a.Restart(true);  // the host loses its power
    CHECK(world.a.Seen("app") == "k=2");
  }
}

TEST_CASE("what a mirror confirms since it has it already is on its stable storage") {
  for (const bool by_prepare : {false, true}) {
    CAPTURE(by_prepare);
    Reaching world;
    REQUIRE(world.Grant(1, world.b_alone).ok());
    REQUIRE(world.Put("app", "1", 1).ok());
    FailTheBarrier(world.b, 3);
    REQUIRE(world.Put("app", "2", 2).Is(ErrorCode::kInDoubt));
    world.b.faulty->Arm({});
    world.clock.Advance(seconds(5));
    if (by_prepare) {
      REQUIRE(world.Grant(1, world.b_alone).ok());
      REQUIRE(world.agent->Prepare({kEpoch, 1}, world.b_alone, world.peers).ok());
    } else {
      REQUIRE(world.Put("app", "2", 2).ok());
    }
    world.b.Restart(true);  // b's host loses its power
    CHECK(world.b.Seen("app") == "k=2");
  }
}

TEST_CASE("a sync that overlaps a put does not acknowledge it") {
  Reaching world;
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
  REQUIRE(world.Put("warm", "1", 9).ok());
  REQUIRE(world.Seen("warm") == "k=1");
  const auto every = std::bitset<store::kBuckets>().set();
  const auto source = world.agent->ReadInventory(every);  // a sync begins
  world.channels["c"]->lose_request = true;
  REQUIRE(world.Put("app", "1", 1).Is(ErrorCode::kInDoubt));  // a and b have it, c has not
  REQUIRE(world.Seen("app") == "Unavailable");
  std::vector<mirror::MemberInventory> mirrors;
  mirrors.push_back({"b", world.b.client->ReadInventory(every)});
  const mirror::SyncPlan plan = mirror::Plan(*source, mirrors, kEpoch, false);
  REQUIRE(plan.steps.size() == 1);
  REQUIRE(plan.steps[0].kind == mirror::Step::Kind::kRestore);
  (void)mirror::Apply(plan, *world.agent, {{"b", world.b.client.get()}}, {kEpoch, 1},
                      world.executor, nullptr);
  world.clock.Advance(seconds(2));
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
  CHECK(world.Seen("app") == "Unavailable");
  CHECK(world.c.Seen("app") == "absent");  // and by P5 it alone may be promoted
  world.channels["c"]->lose_request = false;
  world.clock.Advance(seconds(5));
  REQUIRE(world.Grant(1, {{MemberUid(2), MemberUid(3)}, 2}).ok());
  CHECK(world.Seen("app") == "k=1");
}

}  // namespace hsmops::test
