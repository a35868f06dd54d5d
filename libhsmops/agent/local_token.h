// LocalToken: a new SoftHSM token in a folder of its own, for `init` and `demo`.
#pragma once

#include <array>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"

namespace hsmops::agent {

// The word that main looks for: `kubectl-hsm __init-token` makes one token and ends. A process of
// its own, since a PKCS#11 module is process-global.
inline constexpr const char* kInitTokenVerb = "__init-token";
int RunInitToken(int socket);

// What a token's folder holds, besides the folder tokens/.
inline constexpr std::array kLocalTokenFiles = {"softhsm2.conf", "pin", "so-pin", "unsettled"};

// In `folder` (0700): softhsm2.conf, tokens/, pin and so-pin (0600, random). Its `pkcs11:` URI,
// which names it by serial. It is made beside that folder and renamed when it is whole, so a kill
// leaves no folder or a whole token. Until it is settled the next call takes it again, where it
// is blank or not: who uses it has to look. Two calls for one folder at once are the caller's
// mistake. kConflict: the folder holds something else. kNotFound: SoftHSM is not installed.
// kInvalid: its configuration cannot name this folder.
base::Result<std::string> MakeLocalToken(const std::string& program, const std::string& folder,
                                         const std::string& label, base::Clock& clock,
                                         base::Rng& rng);

// kInvalid: SoftHSM's configuration file cannot name a token in this folder.
base::Result<void> CheckLocalTokenFolder(const std::string& folder);

// The token of this folder belongs to somebody from now on: no later call takes it.
void SettleLocalToken(const std::string& folder);

// What calls that were killed have left beside `folder`.
void RemoveUnfinishedTokens(const std::string& folder);

}  // namespace hsmops::agent
