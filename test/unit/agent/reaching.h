// Reaching: a Primary that reaches its mirrors itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libhsmops/agent/replicating_agent.h"
#include "test/unit/agent/pool.h"

namespace hsmops::test {

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
  base::Result<void> Grant(std::uint64_t generation, const mirror::SyncRule& rule,
                           const store::Epoch& epoch = kEpoch) {
    const auto pulse = agent->TakePulse();
    return agent->OpenGate(
        {pulse->nonce, epoch, generation, std::chrono::seconds(10), {}, rule, peers, 512});
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

  const mirror::SyncRule b_alone{{MemberUid(2)}, 1};
  const mirror::SyncRule c_alone{{MemberUid(3)}, 1};
  const mirror::SyncRule one_of_two{{MemberUid(2), MemberUid(3)}, 1};
  const mirror::PeerAddresses peers{{MemberUid(2), {"b", "https://b"}},
                                    {MemberUid(3), {"c", "https://c"}}};
  base::SystemRng rng;  // asked by several threads
  base::ThreadExecutor executor;
  std::map<std::string, LoopChannel*> channels;
  std::unique_ptr<agent::ReplicatingAgent> agent;
};

}  // namespace hsmops::test
