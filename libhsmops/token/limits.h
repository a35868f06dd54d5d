// Limits of what a module may answer and of what is asked of it.
#pragma once

#include <cstddef>

namespace hsmops::token {

inline constexpr std::size_t kMaxSlots = 256;
inline constexpr std::size_t kMaxPinBytes = 255;
inline constexpr std::size_t kMaxAttributeBytes = std::size_t{64} << 20;

}  // namespace hsmops::token
