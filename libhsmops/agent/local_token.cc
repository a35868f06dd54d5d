#include "libhsmops/agent/local_token.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "libhsmops/agent/frame.h"
#include "libhsmops/agent/message.h"
#include "libhsmops/agent/subprocess.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/hardening.h"
#include "libhsmops/base/printable.h"
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

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;
using base::Result;

constexpr base::Duration kLimit = std::chrono::seconds(20);
constexpr std::size_t kMaxSerialBytes = 64;
constexpr std::size_t kMaxConfBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxFolderBytes = 900;  // SoftHSM reads lines of 1 KiB
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

std::string ConfPath(const std::string& folder) { return folder + "/softhsm2.conf"; }

std::string ConfFor(const std::string& folder) {
  return fmt::format(
      "directories.tokendir = {}/tokens\nobjectstore.backend = file\nlog.level = "
      "ERROR\nslots.removable = false\n",
      folder);
}

std::string UriOf(const std::string& module, const std::string& folder, const std::string& label,
                  const std::string& serial) {
  token::Uri uri;
  uri.token = label;
  uri.serial = serial;
  uri.module_path = module;
  uri.pin_path = folder + "/pin";
  uri.softhsm_conf = ConfPath(folder);
  return uri.ToString();
}

// Never the name of a node.
std::string StagingPrefix(const fs::path& folder) {
  return fmt::format(".{}.new.", folder.filename().string());
}

Error HoldsOther(const std::string& folder) {
  return {ErrorCode::kConflict,
          fmt::format("{} holds a token or files already, which no unfinished init has made; "
                      "remove it if nobody needs it, or name the token with --member",
                      base::Printable(folder))};
}

// Of the token that an earlier call made in this folder, or a copy of this folder would not be
// its own; "": there is no such folder. kConflict: it is not ours to take.
Result<std::string> UnsettledSerial(const std::string& folder) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return std::string();
  if (fs::is_directory(status) && fs::is_empty(folder, error) && !error) return std::string();
  const auto serial = base::ReadRegularFile(folder + "/unsettled", kMaxSerialBytes);
  const auto conf = base::ReadRegularFile(ConfPath(folder), kMaxConfBytes);
  if (!serial.ok() || !conf.ok() || !base::Equal(conf->view(), base::AsBytes(ConfFor(folder))))
    return HoldsOther(folder);
  return std::string(serial->view().begin(), serial->view().end());
}

// A whole token in `staging` that works as soon as that is renamed to `folder`. Its serial.
Result<std::string> MakeIn(const std::string& program, const std::string& staging,
                           const std::string& folder, const std::string& label,
                           const std::string& module, base::Clock& clock, base::Rng& rng) {
  const token::NewSoftToken wanted{module, ConfPath(staging), label, staging + "/so-pin",
                                   staging + "/pin"};
  HSM_RETURN_IF_ERROR(base::MakeFolders(staging + "/tokens", 0700));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.so_pin_path, RandomPin(rng).view(), 0600));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.pin_path, RandomPin(rng).view(), 0600));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.conf_path, base::AsBytes(ConfFor(staging)), 0600));
  HSM_TRY(Subprocess process, Subprocess::Start(program, kInitTokenVerb));
  Out out;
  out(wanted);
  HSM_RETURN_IF_ERROR(SendFrame(process.socket(), std::move(out).Take().view()));
  HSM_TRY(const base::SecretBytes answer,
          ReceiveFrame(process.socket(), kMaxFrameBytes, clock, clock.Now() + kLimit));
  process.End(kLimit, clock);
  In in(answer.view());
  HSM_TRY(std::string serial, in.Make<Result<std::string>>().Within("making token " + label));
  HSM_RETURN_IF_ERROR(base::WriteFile(wanted.conf_path, base::AsBytes(ConfFor(folder)), 0600));
  HSM_RETURN_IF_ERROR(base::WriteFile(staging + "/unsettled", base::AsBytes(serial), 0600));
  return serial;
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

void RemoveUnfinishedTokens(const std::string& folder) {
  const fs::path path(folder);
  std::error_code error;
  for (fs::directory_iterator at(path.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;  // a process that outlived its parent may still write there
    if (at->path().filename().string().starts_with(StagingPrefix(path)))
      fs::remove_all(at->path(), ignored);
  }
}

Result<void> CheckLocalTokenFolder(const std::string& folder) {
  if (folder.find_first_of("#=\n\r") == std::string::npos && folder.size() <= kMaxFolderBytes)
    return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("SoftHSM's configuration file cannot name a folder whose path holds "
                           "\"#\", \"=\" or a line's end, or has more than {} bytes: {}; choose "
                           "another --local DIR",
                           kMaxFolderBytes, base::Printable(folder)));
}

Result<std::string> MakeLocalToken(const std::string& program, const std::string& folder,
                                   const std::string& label, base::Clock& clock, base::Rng& rng) {
  HSM_RETURN_IF_ERROR(CheckLocalTokenFolder(folder));
  HSM_TRY(const std::string module, FindModule());
  const fs::path path(folder);
  RemoveUnfinishedTokens(folder);
  HSM_TRY(const std::string before, UnsettledSerial(folder));
  if (!before.empty()) return UriOf(module, folder, label, before);
  HSM_RETURN_IF_ERROR(base::MakeFolders(path.parent_path().string(), 0700));
  const std::string staging =
      (path.parent_path() / (StagingPrefix(path) + base::Hex(rng.Array<4>()))).string();
  const auto serial = MakeIn(program, staging, folder, label, module, clock, rng);
  std::error_code error;
  if (!serial.ok()) {
    fs::remove_all(staging, error);
    return serial.error();
  }
  if (std::rename(staging.c_str(), folder.c_str()) != 0) {
    const int why = errno;
    fs::remove_all(staging, error);
    if (why == ENOTEMPTY || why == EEXIST || why == ENOTDIR) return HoldsOther(folder);
    return base::ErrnoError("renaming a new token to", folder, why);
  }
  HSM_RETURN_IF_ERROR(base::SyncFolder(path.parent_path().string()));
  return UriOf(module, folder, label, *serial);
}

void SettleLocalToken(const std::string& folder) {
  (void)unlink((folder + "/unsettled").c_str());  // one that stays is looked at before it is taken
}

}  // namespace hsmops::agent
