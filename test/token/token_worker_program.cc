// Does one thing on one token through Pkcs11Token, as a process of its own:
//
//   token_worker URI STATE_FOLDER view                                "view"
//   token_worker URI STATE_FOLDER create APPLICATION LABEL VALUE      "created"
//   token_worker URI STATE_FOLDER destroy APPLICATION LABEL           "destroyed"
//
// Or "error CODE: MESSAGE" and exit code 1. The lock of the token is in STATE_FOLDER too.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/token/pkcs11_token.h"

namespace {

using namespace hsmops;

base::Result<std::string> Do(const std::vector<std::string>& words) {
  base::SystemClock clock;
  base::SystemRng rng;
  HSM_TRY(token::Uri uri, token::Uri::Parse(words[0]));
  token::Pkcs11Options options;
  options.state_folder = words[1];
  options.lock_folder = words[1];
  options.on_hung = [](const std::string&) { _exit(75); };
  HSM_TRY(const auto token,
          token::Pkcs11Token::Open(std::move(uri), std::move(options), clock, rng));
  HSM_RETURN_IF_ERROR(token->Refresh());
  if (words[2] == "view") return std::string("view");
  if (words[2] == "create" && words.size() == 6) {
    HSM_RETURN_IF_ERROR(token->Create(words[3], words[4], base::AsBytes(words[5])));
    HSM_RETURN_IF_ERROR(token->Barrier());
    return std::string("created");
  }
  if (words[2] == "destroy" && words.size() == 5) {
    HSM_TRY(const auto found, token->FindLabel(words[3], words[4]));
    for (const token::ObjectHandle object : found) HSM_RETURN_IF_ERROR(token->Destroy(object));
    return std::string("destroyed");
  }
  return base::Error(base::ErrorCode::kInvalid, "no such verb: " + words[2]);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // as in the tests' own main
  if (argc < 4) return 2;
  const auto done = Do({argv + 1, argv + argc});
  if (done.ok()) {
    std::puts(done->c_str());
    return 0;
  }
  std::printf("error %s: %s\n", std::string(base::Name(done.code())).c_str(),
              done.error().message().c_str());
  return 1;
}
