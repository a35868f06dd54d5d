// sim: runs seeds; a failing one prints how to run it again.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "test/sim/run.h"

namespace {

using namespace hsmops;

[[noreturn]] void Usage() {
  fmt::print(stderr,
             "usage: sim [--seeds N] [--from S] [--step N] [--theme N] [--mutant NUMBER] [--trace] "
             "[--keep-going]\n");
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 100;
  std::uint64_t from = 1;
  std::uint64_t step = 1;
  bool keep_going = false;
  sim::RunOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto number = [&] {
      if (i + 1 >= argc) Usage();
      return std::strtoull(argv[++i], nullptr, 10);
    };
    if (word == "--seeds") {
      seeds = number();
    } else if (word == "--from") {
      from = number();
    } else if (word == "--step") {
      step = std::max<std::uint64_t>(number(), 1);
    } else if (word == "--mutant") {
      options.mutant = static_cast<base::Mutant>(number());
    } else if (word == "--theme") {
      options.theme = static_cast<sim::Theme>(number());
    } else if (word == "--trace") {
      options.trace = true;
    } else if (word == "--keep-going") {
      keep_going = true;
    } else {
      Usage();
    }
  }
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t failed = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t reads = 0;
  std::uint64_t epochs = 0;
  std::uint64_t ran = 0;
  for (std::uint64_t seed = from; seed < from + seeds * step; seed += step) {
    options.seed = seed;
    const sim::Outcome outcome = sim::Run(options);
    ++ran;
    acknowledged += outcome.acknowledged;
    reads += outcome.reads;
    epochs += outcome.epochs;
    if (outcome.violation.empty()) continue;
    ++failed;
    fmt::print("seed {}: {}\n  again: ./dev sim --seeds 1 --from {} --trace{}{}\n", seed,
               outcome.violation, seed,
               options.theme ? fmt::format(" --theme {}", static_cast<int>(*options.theme)) : "",
               options.mutant == base::Mutant::kNone
                   ? ""
                   : fmt::format(" --mutant {}", static_cast<int>(options.mutant)));
    if (!keep_going) break;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("{} seeds, {} acknowledged writes, {} reads, {} epochs, {} violations, {:.1f} s\n",
             ran, acknowledged, reads, epochs, failed, took);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
