// Profile: what a driver is known to do, in numbers. Which one a token has follows from what the
// module and the token say of themselves, never from a file name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hsmops::token {

enum class Proof : std::uint8_t {
  kFreshView,  // only a new view that loads the object shows that it is there
  kFiles,      // the object's file is whole and synced, with room left on its disk (SoftHSM)
};

struct Profile {
  std::string_view name;
  std::size_t max_object_bytes;  // of one CKA_VALUE; checked before the first call
  std::size_t max_objects;       // this program's own, on one token
  Proof proof;
  std::uint64_t min_free_bytes;  // below this, writes are refused as kLimit

  // A deletion needs room for its tombstone before what it deletes may go, so a full token has to
  // keep some for it: the last fiftieth of the objects, and half of the bytes kept free.
  std::size_t ObjectsFor(bool deletion) const {
    return deletion ? max_objects : max_objects - max_objects / 50;
  }
  std::uint64_t BytesKeptFree(bool deletion) const {
    return deletion ? min_free_bytes / 2 : min_free_bytes;
  }
};

// SoftHSM 2.6 with its file backend: fast, answers from memory, swallows write errors.
inline constexpr Profile kSoftHsm{"softhsm", 32 * 1024, 100'000, Proof::kFiles, 1 << 20};
// OpenSC's driver for SmartCard-HSM, Nitrokey HSM and Pico HSM cards.
inline constexpr Profile kOpenScScHsm{"opensc-sc-hsm", 1024, 120, Proof::kFreshView, 0};
// Anything else that keeps CKO_DATA objects.
inline constexpr Profile kGeneric{"generic", 1024, 20'000, Proof::kFreshView, 0};

// `module`: CK_INFO.manufacturerID; `manufacturer`, `model`: CK_TOKEN_INFO. All trimmed.
// `files_found`: SoftHSM's folder of this token is on this machine.
const Profile& ProfileFor(std::string_view module, std::string_view manufacturer,
                          std::string_view model, bool files_found);

}  // namespace hsmops::token
