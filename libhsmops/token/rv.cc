#include "libhsmops/token/rv.h"

#include <fmt/format.h>

#include <array>

namespace hsmops::token {
namespace {

using base::ErrorCode;

struct Entry {
  CK_RV rv;
  std::string_view name;
  ErrorCode code;
};

#define HSM_RV(name, code) \
  Entry { name, #name, ErrorCode::code }
constexpr std::array kEntries = {
    HSM_RV(CKR_OK, kInternal),
    HSM_RV(CKR_CANCEL, kUnavailable),
    HSM_RV(CKR_HOST_MEMORY, kUnavailable),
    HSM_RV(CKR_SLOT_ID_INVALID, kUnavailable),
    HSM_RV(CKR_GENERAL_ERROR, kUnavailable),
    HSM_RV(CKR_FUNCTION_FAILED, kUnavailable),
    HSM_RV(CKR_ARGUMENTS_BAD, kInternal),
    HSM_RV(CKR_NEED_TO_CREATE_THREADS, kInvalid),
    HSM_RV(CKR_CANT_LOCK, kInvalid),
    HSM_RV(CKR_ATTRIBUTE_READ_ONLY, kInvalid),
    HSM_RV(CKR_ATTRIBUTE_SENSITIVE, kInvalid),
    HSM_RV(CKR_ATTRIBUTE_TYPE_INVALID, kInvalid),
    HSM_RV(CKR_ATTRIBUTE_VALUE_INVALID, kInvalid),
    HSM_RV(CKR_DATA_LEN_RANGE, kLimit),
    HSM_RV(CKR_DEVICE_ERROR, kUnavailable),
    HSM_RV(CKR_DEVICE_MEMORY, kLimit),
    HSM_RV(CKR_DEVICE_REMOVED, kUnavailable),
    HSM_RV(CKR_FUNCTION_NOT_SUPPORTED, kInvalid),
    HSM_RV(CKR_OBJECT_HANDLE_INVALID, kNotFound),
    HSM_RV(CKR_KEY_HANDLE_INVALID, kNotFound),  // tpm2-pkcs11 1.9 says so of any object
    HSM_RV(CKR_OPERATION_ACTIVE, kUnavailable),
    HSM_RV(CKR_OPERATION_NOT_INITIALIZED, kUnavailable),
    HSM_RV(CKR_PIN_INCORRECT, kAuthFailed),
    HSM_RV(CKR_PIN_INVALID, kAuthFailed),
    HSM_RV(CKR_PIN_LEN_RANGE, kAuthFailed),
    HSM_RV(CKR_PIN_EXPIRED, kAuthFailed),
    HSM_RV(CKR_PIN_LOCKED, kAuthFailed),
    HSM_RV(CKR_SESSION_CLOSED, kUnavailable),
    HSM_RV(CKR_SESSION_COUNT, kUnavailable),
    HSM_RV(CKR_SESSION_HANDLE_INVALID, kUnavailable),
    HSM_RV(CKR_SESSION_READ_ONLY, kUnavailable),
    HSM_RV(CKR_SESSION_EXISTS, kUnavailable),
    HSM_RV(CKR_TEMPLATE_INCOMPLETE, kInvalid),
    HSM_RV(CKR_TEMPLATE_INCONSISTENT, kInvalid),
    HSM_RV(CKR_TOKEN_NOT_PRESENT, kUnavailable),
    HSM_RV(CKR_TOKEN_NOT_RECOGNIZED, kUnavailable),
    HSM_RV(CKR_TOKEN_WRITE_PROTECTED, kInvalid),
    HSM_RV(CKR_USER_ALREADY_LOGGED_IN, kInternal),
    HSM_RV(CKR_USER_NOT_LOGGED_IN, kUnavailable),
    HSM_RV(CKR_USER_PIN_NOT_INITIALIZED, kAuthFailed),
    HSM_RV(CKR_USER_TYPE_INVALID, kAuthFailed),
    HSM_RV(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, kAuthFailed),
    HSM_RV(CKR_BUFFER_TOO_SMALL, kUnavailable),
    HSM_RV(CKR_CRYPTOKI_NOT_INITIALIZED, kUnavailable),
    HSM_RV(CKR_CRYPTOKI_ALREADY_INITIALIZED, kUnavailable),
};
#undef HSM_RV

const Entry* Lookup(CK_RV rv) {
  for (const Entry& entry : kEntries) {
    if (entry.rv == rv) return &entry;
  }
  return nullptr;
}

}  // namespace

std::string RvName(CK_RV rv) {
  if (const Entry* entry = Lookup(rv)) return std::string(entry->name);
  if ((rv & CKR_VENDOR_DEFINED) != 0)
    return fmt::format("CKR_VENDOR_DEFINED|0x{:x}", rv & ~CKR_VENDOR_DEFINED);
  return fmt::format("CKR_0x{:x}", rv);
}

base::Error RvError(std::string_view function, CK_RV rv) {
  const Entry* entry = Lookup(rv);
  return {entry == nullptr ? ErrorCode::kUnavailable : entry->code,
          fmt::format("{}: {}", function, RvName(rv))};
}

bool EndsView(CK_RV rv) {
  switch (rv) {
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_GENERAL_ERROR:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
      return true;
    default:
      return false;
  }
}

}  // namespace hsmops::token
