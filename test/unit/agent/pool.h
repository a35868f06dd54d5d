// Three agents on tokens in memory, reached through Client and Serve as over a pipe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "libhsmops/agent/agent.h"
#include "libhsmops/agent/client.h"
#include "test/unit/store/device.h"

namespace hsmops::test {

// Calls Serve in this process; loses the request or the answer when told to.
class LoopChannel : public agent::Channel {
 public:
  explicit LoopChannel(mirror::Member*& member) : member_(member) {}
  base::Result<base::SecretBytes> Call(base::SecretBytes request) override {
    ++calls;
    if (before) before();
    if (member_ == nullptr || lose_request)
      return base::Error(ErrorCode::kUnavailable, "not reached");
    base::SecretBytes answer = agent::Serve(*member_, request.view());
    if (lose_answer) return base::Error(ErrorCode::kInDoubt, "the answer was lost");
    return answer;
  }
  std::function<void()> before;  // each request
  std::atomic<bool> lose_request = false;
  std::atomic<bool> lose_answer = false;
  std::atomic<int> calls = 0;

 private:
  mirror::Member*& member_;
};

// One node: a device whose store the agent owns.
class Node {
 public:
  Node(std::uint8_t number, const token::Profile& profile, base::ManualClock& clock)
      : clock_(clock),
        number_(number),
        rng_(number),
        memory({"khsm", "nobody", "memory", "serial-" + std::to_string(number)}, profile, rng_) {
    Start();
    auto channel_owned = std::make_unique<LoopChannel>(served_);
    channel = channel_owned.get();
    client = std::make_unique<agent::Client>(std::move(channel_owned));
    REQUIRE(client->Initialize({kEpoch, 1}, false).ok());
  }

  void Start() {
    agent.reset();
    faulty.emplace(memory);
    agent.emplace(kPool, MemberUid(number_), *faulty, ledger, clock_, rng_);
    served_ = &*agent;
  }
  void Restart(bool lose_unsynced = false) {
    memory.Crash(lose_unsynced);
    Start();
  }

  base::Result<void> Grant(store::Epoch epoch, std::uint64_t generation,
                           base::Duration duration = std::chrono::seconds(10),
                           std::optional<base::Digest> digest = {}) {
    HSM_TRY(const mirror::Pulse pulse, client->TakePulse());
    return client->OpenGate({pulse.nonce, epoch, generation, duration, digest, rule});
  }

  base::Result<store::Staged> Stage(const char* name, const std::string& value, std::uint8_t op) {
    std::vector<store::Write> writes;
    writes.push_back({.name = NameOf(name), .keys = KeysOf({{"k", value}}), .op_id = OpIdOf(op)});
    HSM_TRY(auto staged, client->Stage(std::move(writes), 512));
    REQUIRE(staged.size() == 1);
    return std::move(staged[0]);
  }

  mirror::Member*& served() { return served_; }
  std::string Seen(const char* name, bool as_primary = false) {
    auto read = client->Read(NameOf(name), as_primary);
    if (!read.ok()) return std::string(base::Name(read.code()));
    return read->secret ? TextOf(read->secret->keys) : "absent";
  }

 private:
  base::ManualClock& clock_;
  std::uint8_t number_;
  base::SeededRng rng_;
  mirror::Member* served_ = nullptr;

 public:
  mirror::SyncRule rule;  // of the next grant
  token::MemoryToken memory;
  store::Ledger ledger = store::Ledger::InMemory();
  std::optional<token::FaultyToken> faulty;
  std::optional<agent::Agent> agent;
  LoopChannel* channel = nullptr;
  std::unique_ptr<agent::Client> client;
};

struct ThreeNodes {
  explicit ThreeNodes(const token::Profile& profile = kSmallFiles)
      : a(1, profile, clock), b(2, profile, clock), c(3, profile, clock) {}
  base::ManualClock clock;
  Node a;
  Node b;
  Node c;
};

}  // namespace hsmops::test
