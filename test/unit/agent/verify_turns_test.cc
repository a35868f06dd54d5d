// A verification holds the token for a while at a time, and whoever waits has it in between.
#include <functional>

#include "test/unit/agent/pool.h"

namespace hsmops::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Each look at it takes a while; who sleeps lets another thread of the process go on.
class PassingClock : public base::Clock {
 public:
  base::TimePoint Now() const override {
    clock_.Advance(milliseconds(7));
    return clock_.Now();
  }
  base::WallTime Wall() const override { return clock_.Wall(); }
  void SleepFor(base::Duration duration) override {
    clock_.Advance(duration);
    ++sleeps;
    if (other) other(sleeps);
  }
  int sleeps = 0;
  std::function<void(int)> other;

 private:
  mutable base::ManualClock clock_;
};

// One that waits for it in this one thread would wait for ever.
class OneThreadMonitor : public base::Monitor {
 public:
  void lock() override {
    REQUIRE(!locked_);
    locked_ = true;
  }
  void unlock() override { locked_ = false; }
  void Wait() override { FAIL("waits for nobody"); }
  void NotifyAll() override {}

 private:
  bool locked_ = false;
};

struct Verified {
  Verified()
      : memory({"khsm", "nobody", "memory", "serial-1"}, kSmallFiles, rng),
        agent(kPool, MemberUid(1), memory, ledger, clock, rng,
              std::make_unique<OneThreadMonitor>()) {
    REQUIRE(agent.Initialize({kEpoch, 1}, false).ok());
    REQUIRE(Grant(kEpoch, 1).ok());
    for (int i = 0; i < kSecrets; ++i) REQUIRE(Write("n" + std::to_string(i)).ok());
  }
  base::Result<void> Grant(const store::Epoch& epoch, std::uint64_t generation) {
    HSM_TRY(const mirror::Pulse pulse, agent.TakePulse());
    return agent.OpenGate({pulse.nonce, epoch, generation, seconds(300), {}, {}});
  }
  base::Result<void> Write(const std::string& name) {
    std::vector<store::Write> one;
    one.push_back({.name = NameOf(name), .keys = KeysOf({{"k", name}}), .op_id = OpIdOf(++ops)});
    HSM_TRY(auto staged, agent.Stage(std::move(one), 512));
    HSM_TRY(const store::Staged done, std::move(staged[0]));
    HSM_TRY(auto acknowledged, agent.Acknowledge({{{done.id, done.version}, {}}}));
    return acknowledged[0];
  }

  static constexpr int kSecrets = 40;
  PassingClock clock;
  base::SeededRng rng{1};
  token::MemoryToken memory;
  store::Ledger ledger = store::Ledger::InMemory();
  agent::Agent agent;
  std::uint8_t ops = 0;
};

}  // namespace

TEST_CASE("reads, writes and the first grant of a term are served while a token is verified") {
  Verified one;
  const store::Epoch next{kEpoch.counter + 1, 77};
  one.clock.other = [&](int times) {
    if (times == 1) CHECK(one.agent.Read(NameOf("n1"), true)->secret.has_value());
    if (times == 2) CHECK(one.Write("meanwhile").ok());
    if (times == 3) CHECK(one.agent.Fence({next, 2}).ok());
    if (times == 4) CHECK(one.Grant(next, 2).ok());
  };
  const auto report = one.agent.Verify();
  REQUIRE(report.ok());
  CHECK(report->secrets == Verified::kSecrets);
  CHECK(report->damaged.empty());
  CHECK(one.clock.sleeps >= 4);
  CHECK(one.agent.GateOpen());
}

TEST_CASE("a token that is lost while it is verified is no token without damage") {
  Verified one;
  one.clock.other = [&](int times) {
    if (times == 2) one.memory.Unplug();
  };
  CHECK(one.agent.Verify().Is(ErrorCode::kUnavailable));
}

}  // namespace hsmops::test
