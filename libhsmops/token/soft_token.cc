#include "libhsmops/token/soft_token.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "libhsmops/base/file.h"
#include "libhsmops/token/limits.h"
#include "libhsmops/token/module.h"
#include "libhsmops/token/rv.h"

namespace hsmops::token {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::size_t kLabelBytes = 32;

#define HSM_CK(function, ...)                                                                    \
  do {                                                                                           \
    if (const CK_RV rv = p11.function(__VA_ARGS__); rv != CKR_OK) return RvError(#function, rv); \
  } while (false)

struct Found {
  CK_SLOT_ID slot = 0;
  CK_TOKEN_INFO info{};
};

Result<std::optional<Found>> FindToken(CK_FUNCTION_LIST& p11, const unsigned char* label) {
  CK_SLOT_ID slots[kMaxSlots];
  CK_ULONG count = kMaxSlots;
  HSM_CK(C_GetSlotList, CK_TRUE, slots, &count);
  for (CK_ULONG i = 0; i < count; ++i) {
    Found found{slots[i], {}};
    HSM_CK(C_GetTokenInfo, slots[i], &found.info);
    const bool initialized = (found.info.flags & CKF_TOKEN_INITIALIZED) != 0;
    if (label == nullptr ? !initialized
                         : initialized && std::memcmp(found.info.label, label, kLabelBytes) == 0)
      return std::optional(found);
  }
  return std::optional<Found>();
}

Result<void> SetUserPin(CK_FUNCTION_LIST& p11, CK_SLOT_ID slot, base::SecretBytes& so_pin,
                        base::SecretBytes& pin) {
  CK_SESSION_HANDLE session = 0;
  HSM_CK(C_OpenSession, slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
  HSM_CK(C_Login, session, CKU_SO, so_pin.data(), static_cast<CK_ULONG>(so_pin.size()));
  HSM_CK(C_InitPIN, session, pin.data(), static_cast<CK_ULONG>(pin.size()));
  HSM_CK(C_Logout, session);
  HSM_CK(C_CloseSession, session);
  return {};
}

}  // namespace

Result<std::string> MakeSoftToken(const NewSoftToken& wanted) {
  if (wanted.label.empty() || wanted.label.size() > kLabelBytes) {
    return Error(ErrorCode::kInvalid, fmt::format("token label \"{}\" must have 1 to {} bytes",
                                                  wanted.label, kLabelBytes));
  }
  unsigned char label[kLabelBytes];
  std::fill(std::copy(wanted.label.begin(), wanted.label.end(), label), label + kLabelBytes, ' ');
  HSM_TRY(base::SecretBytes so_pin, base::ReadFile(wanted.so_pin_path, kMaxPinBytes));
  HSM_TRY(base::SecretBytes pin, base::ReadFile(wanted.pin_path, kMaxPinBytes));
  setenv("SOFTHSM2_CONF", wanted.conf_path.c_str(), 1);
  HSM_TRY(const auto module, Module::Load(wanted.module_path));
  HSM_RETURN_IF_ERROR(module->Initialize());
  CK_FUNCTION_LIST& p11 = module->functions();
  HSM_TRY(const auto taken, FindToken(p11, label));
  if (taken)
    return Error(ErrorCode::kConflict,
                 fmt::format("a token labelled {} is there already", wanted.label));
  HSM_TRY(const auto free_slot, FindToken(p11, nullptr));
  if (!free_slot)
    return Error(ErrorCode::kUnavailable, "the module has no free slot: is it SoftHSM?");
  HSM_CK(C_InitToken, free_slot->slot, so_pin.data(), static_cast<CK_ULONG>(so_pin.size()), label);
  // SoftHSM gives the token another slot id.
  HSM_TRY(const auto made, FindToken(p11, label));
  if (!made) return Error(ErrorCode::kUnavailable, "the new token is not there after C_InitToken");
  HSM_RETURN_IF_ERROR(SetUserPin(p11, made->slot, so_pin, pin));
  std::string serial(reinterpret_cast<const char*>(made->info.serialNumber),
                     sizeof made->info.serialNumber);
  serial.erase(serial.find_last_not_of(' ') + 1);
  return serial;
}

#undef HSM_CK

}  // namespace hsmops::token
