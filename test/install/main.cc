// A program that knows nothing of this repository but what `cmake --install` put in place: a secret
// is written to a token in memory and read back from it.
#include <fmt/format.h>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/store/secret_store.h"
#include "libhsmops/token/memory_token.h"

namespace base = hsmops::base;
namespace store = hsmops::store;
namespace token = hsmops::token;

int main() {
  base::SeededRng rng(1);
  base::ManualClock clock;
  token::MemoryToken device({"payments", "test", "memory", "1"}, token::kSoftHsm, rng);
  store::Ledger ledger = store::Ledger::InMemory();
  store::SecretStore secrets(device, ledger, clock, rng);

  const auto pool = rng.Array<16>();
  const auto member = rng.Array<16>();
  const store::Epoch epoch{1, {}};
  if (auto open = secrets.Open(pool, member); !open.ok()) return 1;
  if (auto done = secrets.Initialize(pool, member, {epoch, 1}, false); !done.ok()) return 2;

  const auto name = store::SecretName::Parse("app/db");
  std::vector<store::Write> writes;
  writes.push_back({.name = *name, .op_id = rng.Array<16>()});
  writes[0].keys["password"] = base::SecretBytes::FromText("correct horse");
  const auto staged =
      secrets.Stage(std::move(writes), epoch, 1024, [] { return base::Result<void>(); });
  if (!staged[0].ok()) return 3;

  const auto read = secrets.Read(*name);
  if (!read.ok() || !read->has_value()) return 4;
  fmt::print("{} has {} key of {} bytes\n", (*read)->name.text(), (*read)->keys.size(),
             (*read)->keys.at("password").size());
  return 0;
}
