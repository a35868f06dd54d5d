// CK_RV: PKCS#11 return values as names and as Errors (PKCS#11 v2.40, 5.1).
#pragma once

#include <p11-kit/pkcs11.h>

#include <string>
#include <string_view>

#include "libhsmops/base/error.h"

namespace hsmops::token {

// "CKR_DEVICE_REMOVED", or "CKR_VENDOR_DEFINED|0x…", or "CKR_0x…".
std::string RvName(CK_RV rv);

// "C_CreateObject: CKR_DEVICE_MEMORY" with the code that says what the caller may do.
base::Error RvError(std::string_view function, CK_RV rv);

// The errors after which only a new view helps (protocol.md, 2).
bool EndsView(CK_RV rv);

}  // namespace hsmops::token
