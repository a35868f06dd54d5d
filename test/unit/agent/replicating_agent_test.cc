// A Primary that reaches its mirrors itself: W0 to W8, joint changes of S, and what it serves.
#include "libhsmops/agent/replicating_agent.h"

#include <thread>

#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using mirror::SyncRule;
using std::chrono::seconds;

// Node a with an agent that reaches b and c.
struct Reaching : ThreeNodes {
  Reaching() { Restart(); }
  // A new process on a.
  void Restart() {
    a.Restart();
    agent = std::make_unique<agent::ReplicatingAgent>(
        kPool, MemberUid(1), "a", *a.faulty, a.ledger, clock, rng, executor,
        [this](const store::Uid& member, const mirror::PeerAddress&) {
          Node& node = member == MemberUid(2) ? b : c;
          auto channel = std::make_unique<LoopChannel>(node.served());
          channels[member == MemberUid(2) ? "b" : "c"] = channel.get();
          return std::make_unique<agent::Client>(std::move(channel));
        });
  }
  base::Result<void> Grant(std::uint64_t generation, const SyncRule& rule,
                           const store::Epoch& epoch = kEpoch) {
    const auto pulse = agent->TakePulse();
    return agent->OpenGate({pulse->nonce, epoch, generation, seconds(10), {}, rule, peers, 512});
  }
  base::Result<mirror::Acknowledged> Put(const char* name, const std::string& value,
                                         std::uint8_t op, std::optional<mirror::Stamp> stamp = {}) {
    std::vector<store::Write> writes;
    writes.push_back({.name = NameOf(name), .keys = KeysOf({{"k", value}}), .op_id = OpIdOf(op)});
    HSM_TRY(auto results,
            agent->Put(stamp ? *stamp : agent->TakePulse()->stamp, std::move(writes)));
    REQUIRE(results.size() == 1);
    return std::move(results[0]);
  }
  std::string Seen(const char* name) {
    auto read = agent->Read(NameOf(name), true);
    if (!read.ok()) return std::string(base::Name(read.code()));
    return read->secret ? TextOf(read->secret->keys) : "absent";
  }

  const SyncRule b_alone{{MemberUid(2)}, 1};
  const SyncRule c_alone{{MemberUid(3)}, 1};
  const SyncRule one_of_two{{MemberUid(2), MemberUid(3)}, 1};
  const mirror::PeerAddresses peers{{MemberUid(2), {"b", "https://b"}},
                                    {MemberUid(3), {"c", "https://c"}}};
  base::SystemRng rng;  // asked by several threads
  base::ThreadExecutor executor;
  std::map<std::string, LoopChannel*> channels;
  std::unique_ptr<agent::ReplicatingAgent> agent;
};

}  // namespace

TEST_CASE("a put is acknowledged when the members that its grant names confirm") {
  Reaching world;
  CHECK(world.Put("app", "1", 1).Is(ErrorCode::kReadOnly));
  REQUIRE(world.Grant(1, world.one_of_two).ok());
  const auto done = world.Put("app", "1", 1);
  REQUIRE(done.ok());
  CHECK(done->nodes == std::vector<std::string>{"a", "b", "c"});
  CHECK(world.b.Seen("app") == "k=1");
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
  CHECK(world.Seen("app") == "k=2");
  CHECK(world.b.Seen("app") == "k=2");
}

TEST_CASE("puts at once share a batch, and each gets its own answer") {
  Reaching world;
  REQUIRE(world.Grant(1, world.one_of_two).ok());
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
  CHECK(world.agent->Digest()->root == world.b.client->Digest()->root);
  CHECK(world.agent->Digest()->root == world.c.client->Digest()->root);
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

}  // namespace hsmops::test
