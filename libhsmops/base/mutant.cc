#include "libhsmops/base/mutant.h"

#ifdef HSMOPS_MUTANTS

#include <atomic>
#include <cstdlib>

namespace hsmops::base {
namespace {

std::atomic<Mutant>& Current() {
  static std::atomic<Mutant> current = [] {
    const char* text = std::getenv("KHSM_MUTANT");
    return text == nullptr ? Mutant::kNone : static_cast<Mutant>(std::atoi(text));
  }();
  return current;
}

}  // namespace

bool On(Mutant mutant) { return Current() == mutant; }
void SetMutant(Mutant mutant) { Current() = mutant; }

}  // namespace hsmops::base

#endif
