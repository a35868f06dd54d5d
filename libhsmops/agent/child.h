// Child: one token in a process of its own, for the local default.
//
// A PKCS#11 module is process-global and may hang or crash; so each token is served by a child of
// this same binary, over a socketpair that carries agent::Serve's requests in frames of a 32-bit
// length and that many bytes. The child holds the token's host lock and exits when the pipe closes;
// a hang ends it, which is safe at any moment by Invariant A, and a later call starts another: a
// token that hung is left alone for as long as one call may take, so that a command which asks it
// several things does not wait for each of them. What the member was told (Member::Told) stands in
// its ledger: that is answered without the token, whatever has become of it.
#pragma once

#include <memory>
#include <string>

#include "libhsmops/agent/client.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/token/uri.h"

namespace hsmops::agent {

struct ChildConfig {
  std::string uri;  // of its token
  store::Uid pool{};
  store::Uid member{};
  std::string state_folder;  // ledger and PIN latch; made 0700 if it is not there
  base::Duration lock_wait = std::chrono::seconds(10);
  base::Duration call_limit = std::chrono::seconds(15);  // of one PKCS#11 call
};

// The word that main looks for: `kubectl-hsm __token` serves standard input's socket until it
// closes.
inline constexpr const char* kChildVerb = "__token";

// What the child does; its exit code. Reads its configuration from the first frame.
int RunChild(int socket);

// Starts the child at the first call, and again, with back-off, after it ended. Errors, beside
// those of Channel: a hang is kInDoubt for the request that met it, kUnavailable for those soon
// after. `program`: path of this binary. `clock` must outlive it.
std::unique_ptr<Channel> MakeChildChannel(std::string program, ChildConfig config,
                                          base::Duration answer_limit, base::Clock& clock);

}  // namespace hsmops::agent
