// Shuffle: an order of chance, as the seam gives it.
#pragma once

#include <utility>
#include <vector>

#include "libhsmops/base/rng.h"

namespace hsmops::base {

template <typename T>
void Shuffle(std::vector<T>& items, Rng& rng) {
  for (std::size_t left = items.size(); left > 1; --left)
    std::swap(items[left - 1], items[rng.U64() % left]);
}

}  // namespace hsmops::base
