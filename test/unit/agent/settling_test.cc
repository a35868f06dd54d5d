// When a read may be answered: what is settled, what was damaged meanwhile, and on which thread.
#include <algorithm>
#include <atomic>
#include <thread>

#include "libhsmops/agent/message.h"
#include "libhsmops/agent/routes.h"
#include "libhsmops/agent/verb.h"
#include "libhsmops/mirror/apply.h"
#include "test/unit/agent/reaching.h"

namespace hsmops::test {
namespace {

using mirror::SyncRule;

// Both mirrors have to confirm.
struct Pair : Reaching {
  const SyncRule both{{MemberUid(2), MemberUid(3)}, 2};
  base::Result<void> Grant() { return Reaching::Grant(1, both); }
  // Its begin, which says which one it is.
  std::string Seen(const char* name) { return Reaching::Seen(name).substr(0, 12); }
};

}  // namespace

// I7, I5.
TEST_CASE("what was damaged when its epoch was settled is served only when S holds it") {
  Pair world;
  REQUIRE(world.Grant().ok());
  REQUIRE(world.Put("warm", "1", 9).ok());
  REQUIRE(world.Put("app", std::string(1500, '1'), 1).ok());
  const std::vector<std::string> before = world.a.memory.Labels();
  world.channels["c"]->lose_request = true;
  REQUIRE(world.Put("app", std::string(1500, '2'), 2).Is(ErrorCode::kInDoubt));  // on a and b
  // A part of it rots on a, whose process ends.
  for (const std::string& label : world.a.memory.Labels()) {
    if (label.starts_with("k1.p.") && std::ranges::find(before, label) == before.end())
      world.a.memory.Corrupt(label, 5);
  }
  world.Restart();
  REQUIRE(world.Grant().ok());
  REQUIRE(world.Seen("warm") == "k=1");  // c answers: the epoch is settled
  REQUIRE(world.Seen("app") == "Corrupt");
  // A sync repairs it from b; c is out of reach again.
  world.channels["c"]->lose_request = true;
  const auto every = std::bitset<store::kBuckets>().set();
  const auto source = world.agent->ReadInventory(every);
  REQUIRE(source.ok());
  std::vector<mirror::MemberInventory> mirrors;
  mirrors.push_back({"b", world.b.client->ReadInventory(every)});
  const mirror::SyncPlan plan = mirror::Plan(*source, mirrors, kEpoch, false);
  REQUIRE(plan.steps.size() == 1);
  REQUIRE(plan.steps[0].kind == mirror::Step::Kind::kRestore);
  const auto applied = mirror::Apply(plan, *world.agent, {{"b", world.b.client.get()}}, {kEpoch, 1},
                                     world.executor, nullptr);
  REQUIRE(applied.restored == 1);
  REQUIRE(world.c.Seen("app").starts_with("k=111"));  // by P5 it alone may be promoted
  CHECK(world.Seen("app") == "Unavailable");
}

TEST_CASE("no read waits for mirrors on the thread that answers statuses and fences") {
  Pair world;
  const agent::Routes routes(*world.agent, [&] { return world.agent->GateOpen(); });
  auto& find = const_cast<agent::Routes&>(routes);
  net::Received read;
  read.method = "POST";
  read.target = std::string(agent::kMemberPath) + "read";
  read.identity = {"pool", net::Role::kManager, "somebody"};
  read.headers["content-type"] = agent::kMemberContentType;
  // It comes just before the first grant of the epoch, and its turn is after it.
  const auto route = std::get<net::Route>(find.Find(read));
  REQUIRE(world.Grant().ok());
  std::atomic<int> asked_of_mirrors = 0;
  (void)world.agent->Prepare({kEpoch, 1}, world.both, world.peers);  // makes the channels
  for (auto& [node, channel] : world.channels) channel->before = [&] { ++asked_of_mirrors; };
  agent::Out out;
  out(static_cast<std::uint8_t>(agent::Verb::kRead));
  out(std::string("app"));
  out(true);
  read.body = std::move(out).Take();
  (void)route.handle(std::move(read));
  const bool on_token = route.lane == static_cast<std::size_t>(agent::RouteLane::kToken);
  CHECK_FALSE((on_token && asked_of_mirrors > 0));
}

}  // namespace hsmops::test
