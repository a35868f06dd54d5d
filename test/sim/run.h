// Run: one seed from its beginning to its end: a safety phase in which everything goes wrong, and a
// liveness phase in which nothing does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libhsmops/base/mutant.h"
#include "test/sim/nemesis.h"

namespace hsmops::sim {

struct RunOptions {
  std::uint64_t seed = 1;
  base::Mutant mutant = base::Mutant::kNone;
  std::optional<Theme> theme;  // other than the seed's
  bool trace = false;          // every fault and every turn's sentence, to stderr
};

struct Outcome {
  std::string violation;  // empty: none
  std::size_t acknowledged = 0;
  std::size_t reads = 0;
  std::uint64_t epochs = 0;  // that were begun
};

Outcome Run(const RunOptions& options);

}  // namespace hsmops::sim
