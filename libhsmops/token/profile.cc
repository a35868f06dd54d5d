#include "libhsmops/token/profile.h"

namespace hsmops::token {

const Profile& ProfileFor(std::string_view module, std::string_view manufacturer,
                          std::string_view model, bool files_found) {
  // Behind p11-kit's remote the token still says SoftHSM, but its files are somewhere else.
  if (module == "SoftHSM" && manufacturer == "SoftHSM project" && files_found) return kSoftHsm;
  if (module.starts_with("OpenSC") &&
      (manufacturer == "www.CardContact.de" || model.starts_with("PKCS#15 emulated"))) {
    return kOpenScScHsm;
  }
  return kGeneric;
}

}  // namespace hsmops::token
