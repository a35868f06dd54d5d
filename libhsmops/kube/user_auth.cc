#include "libhsmops/kube/user_auth.h"

#include <fmt/format.h>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;

namespace {

constexpr std::size_t kMaxTokenBytes = std::size_t{1} << 16;

// kInvalid: it has a byte that no header may have.
Result<SecretBytes> Bearer(base::ByteView token) {
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' '))
    token = token.first(token.size() - 1);
  for (const std::uint8_t byte : token) {
    if (byte <= 0x20 || byte >= 0x7f)
      return Error(ErrorCode::kInvalid, "the token has a character that no token has");
  }
  SecretBytes value = SecretBytes::FromText("Bearer ");
  value.Append(token);
  return token.empty() ? SecretBytes() : std::move(value);
}

SecretBytes Basic(const std::string& username, const SecretBytes& password) {
  SecretBytes pair = SecretBytes::FromText(username + ":");
  pair.Append(password);
  std::string encoded = "Basic " + base::Base64(pair);
  SecretBytes value = SecretBytes::FromText(encoded);
  base::Wipe(encoded.data(), encoded.size());
  return value;
}

bool Same(const Proof& a, const Proof& b) {
  return a.authorization == b.authorization && a.certificate == b.certificate && a.key == b.key;
}

}  // namespace

bool UserAuth::Stale() const {
  if (!proof_) return true;
  if (expires_ && clock_.Wall() >= *expires_) return true;
  const bool files = !user_.token_file.empty() || !user_.client_certificate.file.empty();
  return files && clock_.Now() - made_ >= kAuthFilePeriod;
}

Result<std::shared_ptr<const Proof>> UserAuth::Current(base::TimePoint deadline) {
  const std::lock_guard lock(mutex_);
  if (!Stale()) return proof_;
  auto made = Make(deadline);
  // A file that is not there is no object that is absent, and no word of the command is wrong.
  if (!made.ok())
    return Error(
        made.Is(ErrorCode::kUnavailable) ? ErrorCode::kUnavailable : ErrorCode::kAuthFailed,
        made.error().message());
  made_ = clock_.Now();
  if (!proof_ || !Same(*proof_, *made)) proof_ = std::make_shared<const Proof>(*std::move(made));
  return proof_;
}

bool UserAuth::Refused(const std::shared_ptr<const Proof>& proof) {
  const std::lock_guard lock(mutex_);
  if (proof != proof_) return true;  // somebody has got another meanwhile
  if (!user_.exec && user_.token_file.empty()) return false;
  proof_.reset();
  return true;
}

Result<Proof> UserAuth::Make(base::TimePoint deadline) {
  Proof proof;
  if (!user_.client_certificate.empty()) {
    HSM_TRY(proof.certificate, user_.client_certificate.Read("client-certificate"));
    HSM_TRY(proof.key, user_.client_key.Read("client-key"));
  }
  if (!user_.token_file.empty()) {
    HSM_TRY(const SecretBytes token,
            base::ReadFile(user_.token_file, kMaxTokenBytes).Within("tokenFile"));
    HSM_TRY(proof.authorization, Bearer(token));
  } else if (!user_.token.empty()) {
    HSM_TRY(proof.authorization, Bearer(user_.token));
  } else if (!user_.username.empty()) {
    proof.authorization = Basic(user_.username, user_.password);
  } else if (user_.exec) {
    HSM_TRY(Proof given, FromPlugin(deadline));
    if (!given.certificate.empty()) return given;
    proof.authorization = std::move(given.authorization);
  }
  return proof;
}

Result<Proof> UserAuth::FromPlugin(base::TimePoint deadline) {
  HSM_TRY(ExecCredential credential,
          RunExec(*user_.exec, cluster_, {environment_, terminal_, clock_}, deadline));
  expires_ = credential.expires;
  Proof proof;
  HSM_TRY(proof.authorization, Bearer(credential.token));
  proof.certificate = std::move(credential.client_certificate);
  proof.key = std::move(credential.client_key);
  return proof;
}

}  // namespace hsmops::kube
