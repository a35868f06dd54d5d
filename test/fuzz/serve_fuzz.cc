// An agent on a token in memory, asked by bytes from outside; its gate is open, so that all is
// reached.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libhsmops/agent/agent.h"
#include "libhsmops/agent/client.h"
#include "libhsmops/token/memory_token.h"

using namespace hsmops;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr token::Profile kSmall{"softhsm", 512, 64, token::Proof::kFiles, 0};
  constexpr store::Epoch kEpoch{3, 1};
  base::ManualClock clock;
  base::SeededRng rng(1);
  token::MemoryToken memory({"khsm", "nobody", "memory", "serial"}, kSmall, rng);
  store::Ledger ledger = store::Ledger::InMemory();
  agent::Agent agent({1}, {2}, memory, ledger, clock, rng);
  if (!agent.Initialize({kEpoch, 1}, false).ok()) std::abort();
  const auto pulse = agent.TakePulse();
  if (!pulse.ok() || !agent.OpenGate({pulse->nonce, kEpoch, 1, std::chrono::seconds(60), {}}).ok())
    std::abort();
  // Several requests in one input, each after a byte that says how long it is.
  base::ByteView left(data, size);
  while (!left.empty()) {
    const std::size_t length =
        std::min<std::size_t>(left[0] == 255 ? left.size() : left[0], left.size() - 1);
    const base::SecretBytes answer = agent::Serve(agent, left.subspan(1, length));
    if (answer.empty()) std::abort();
    left = left.subspan(1 + length);
  }
  return 0;
}
