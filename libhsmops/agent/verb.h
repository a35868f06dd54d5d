// Verb: which request of mirror::Member a message is; its first byte.
#pragma once

#include <cstdint>

namespace hsmops::agent {

enum class Verb : std::uint8_t {
  kStatus,
  kOpenGate,
  kFence,
  kQuiesce,
  kFreeze,
  kDigest,
  kReadInventory,
  kRead,
  kReadRecords,
  kReadLegacy,
  kStage,
  kApply,
  kAcknowledge,
  kVerify,
  kQuarantine,
  kReadQuarantined,
  kDiscardQuarantined,
  kCollect,
  kCollectTombstones,
  kInitialize,
  kTold,
  kTakePulse,
  kPrepare,
  kPut,
  kEra,
};
constexpr Verb LastOf(Verb) { return Verb::kEra; }

}  // namespace hsmops::agent
