// SoftToken: a new SoftHSM token, for the local default.
#pragma once

#include <string>

#include "libhsmops/base/result.h"

namespace hsmops::token {

struct NewSoftToken {
  std::string module_path;
  std::string conf_path;    // softhsm2.conf; its tokendir exists
  std::string label;        // at most 32 bytes
  std::string so_pin_path;  // files, 0600, written before
  std::string pin_path;
};

// C_InitToken on the free slot, then C_InitPIN (PKCS#11 v2.40, 5.5 and 5.6). Loads the module, so
// once in a process. The token's serial. kConflict: a token of this label is there already.
base::Result<std::string> MakeSoftToken(const NewSoftToken& wanted);

}  // namespace hsmops::token
