// LocalToken: a new SoftHSM token in a folder of its own, for `init` and `demo`.
#pragma once

#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"

namespace hsmops::agent {

// The word that main looks for: `kubectl-hsm __init-token` makes one token and ends. A process of
// its own, since a PKCS#11 module is process-global.
inline constexpr const char* kInitTokenVerb = "__init-token";
int RunInitToken(int socket);

// In `folder` (0700): softhsm2.conf, tokens/, pin and so-pin (0600, random). Its `pkcs11:` URI,
// which names it by serial. kConflict: the folder holds a token already. kNotFound: SoftHSM is not
// installed.
base::Result<std::string> MakeLocalToken(const std::string& program, const std::string& folder,
                                         const std::string& label, base::Clock& clock,
                                         base::Rng& rng);

}  // namespace hsmops::agent
