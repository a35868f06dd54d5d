// A program that knows nothing of this repository but what `cmake --install` put in place.
#include <fmt/format.h>

#include "libhsmops/base/digest.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/token/memory_token.h"

int main() {
  namespace base = hsmops::base;
  namespace token = hsmops::token;

  const base::Digest digest = base::Sha256(base::AsBytes("abc"));  // FIPS 180-4, B.1
  fmt::print("SHA-256 of abc begins with {:02x}{:02x}\n", digest[0], digest[1]);

  base::SeededRng rng(1);
  token::MemoryToken device({"payments", "test", "memory", "1"}, token::kGeneric, rng);
  if (!device.Refresh().ok()) return 1;
  const auto created = device.Create("example", "app/db", base::AsBytes("a value"));
  if (!created.ok()) return 1;
  const auto read = device.Read(*created);
  if (!read.ok()) return 1;
  fmt::print("{} holds {} bytes\n", read->label, read->value.size());
  return 0;
}
