#include "libhsmops/agent/local_token.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "libhsmops/agent/frame.h"
#include "libhsmops/agent/message.h"
#include "libhsmops/agent/subprocess.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/hardening.h"
#include "libhsmops/token/soft_token.h"
#include "libhsmops/token/uri.h"

namespace hsmops::token {
template <typename A>
void Fields(A& a, NewSoftToken& v) {
  a(v.module_path, v.conf_path, v.label, v.so_pin_path, v.pin_path);
}
}  // namespace hsmops::token

namespace hsmops::agent {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr base::Duration kLimit = std::chrono::seconds(20);
// Where Debian, Fedora, Alpine and Arch put it.
constexpr std::array kModulePaths = {
    "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so"};

Result<std::string> FindModule() {
  for (const char* path : kModulePaths) {
    if (access(path, R_OK) == 0) return std::string(path);
  }
  return Error(ErrorCode::kNotFound,
               "SoftHSM is not installed (on Debian: apt-get install softhsm2); init --member "
               "NODE=pkcs11:… takes other tokens");
}

// 16 digits: opencryptoki and others take decimal PINs only, and SoftHSM takes any.
base::SecretBytes RandomPin(base::Rng& rng) {
  base::SecretBytes pin;
  for (int i = 0; i < 16; ++i) pin.Append(static_cast<std::uint8_t>('0' + rng.Below(10)));
  return pin;
}

}  // namespace

int RunInitToken(int socket) {
  base::Harden();
  const auto request = ReceiveFrame(socket, kMaxFrameBytes);
  if (!request.ok()) return EXIT_FAILURE;
  In in(request->view());
  const auto wanted = in.Make<token::NewSoftToken>();
  if (!in.reader().Finish("request").ok()) return EXIT_FAILURE;
  Out out;
  out(token::MakeSoftToken(wanted));
  return SendFrame(socket, std::move(out).Take().view()).ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

Result<std::string> MakeLocalToken(const std::string& program, const std::string& folder,
                                   const std::string& label, base::Clock& clock, base::Rng& rng) {
  token::NewSoftToken wanted{"", folder + "/softhsm2.conf", label, folder + "/so-pin",
                             folder + "/pin"};
  HSM_TRY(wanted.module_path, FindModule());
  if (access(wanted.conf_path.c_str(), F_OK) == 0)
    return Error(ErrorCode::kConflict, fmt::format("{} holds a token already", folder));
  HSM_RETURN_IF_ERROR(base::MakeFolders(folder + "/tokens", 0700));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.so_pin_path, RandomPin(rng).view(), 0600));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.pin_path, RandomPin(rng).view(), 0600));
  const std::string conf = fmt::format(
      "directories.tokendir = {}/tokens\nobjectstore.backend = file\nlog.level = "
      "ERROR\nslots.removable = false\n",
      folder);
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.conf_path, base::AsBytes(conf), 0600));
  HSM_TRY(Subprocess process, Subprocess::Start(program, kInitTokenVerb));
  Out out;
  out(wanted);
  HSM_RETURN_IF_ERROR(SendFrame(process.socket(), std::move(out).Take().view()));
  HSM_TRY(const base::SecretBytes answer,
          ReceiveFrame(process.socket(), kMaxFrameBytes, clock, clock.Now() + kLimit));
  process.End(kLimit, clock);
  In in(answer.view());
  HSM_TRY(const std::string serial, in.Make<Result<std::string>>().Within("making token " + label));
  token::Uri uri;
  uri.token = label;
  uri.serial = serial;
  uri.module_path = wanted.module_path;
  uri.pin_path = wanted.pin_path;
  uri.softhsm_conf = wanted.conf_path;
  return uri.ToString();
}

}  // namespace hsmops::agent
