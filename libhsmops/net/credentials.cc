#include "libhsmops/net/credentials.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

Error Refused(const std::string& path, std::string_view why) {
  return {ErrorCode::kInvalid, fmt::format("{}: {}", base::Printable(path), why)};
}

// Only its owner may read a key; where that is root and we are not, our group may too.
Result<void> CheckKeyMode(const std::string& path) {
  struct stat st{};
  if (stat(path.c_str(), &st) != 0) return base::ErrnoError("looking at", path, errno);
  const bool group_may = st.st_uid == 0 && geteuid() != 0;
  const mode_t forbidden = group_may ? (S_IRWXO | S_IWGRP | S_IXGRP) : (S_IRWXO | S_IRWXG);
  if ((st.st_mode & forbidden) == 0) return {};
  return Refused(path, fmt::format("a private key that others may read (mode {:04o}): chmod 0600",
                                   st.st_mode & 07777));
}

struct StoreContextFree {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};

}  // namespace

Result<TrustStore> MakeTrust(base::ByteView pem) {
  HSM_TRY(const auto authorities, ParseCertificates(pem, kMaxAuthorities));
  TrustStore trust(X509_STORE_new());
  for (const Certificate& authority : authorities) {
    if (X509_check_ca(authority.get()) != 1)
      return Error(ErrorCode::kInvalid, "holds a certificate that is not one of a CA");
    if (X509_STORE_add_cert(trust.get(), authority.get()) != 1)
      return Error(ErrorCode::kInvalid, TakeOpenSslError());
  }
  return trust;
}

Result<void> Credentials::LoadAuthorities(const std::string& path) {
  HSM_TRY(const base::SecretBytes pem, base::ReadRegularFile(path, kMaxPemBytes));
  auto trust = MakeTrust(pem);
  if (!trust.ok()) return Refused(path, trust.error().message());
  trust_ = *std::move(trust);
  return {};
}

Result<void> Credentials::LoadChain(const std::string& path, base::WallTime now) {
  HSM_TRY(const base::SecretBytes pem, base::ReadRegularFile(path, kMaxPemBytes));
  auto chain = ParseCertificates(pem, kMaxChain);
  if (!chain.ok()) return Refused(path, chain.error().message());
  chain_ = *std::move(chain);
  const X509& leaf = *chain_.front();
  auto identity = IdentityOf(leaf);
  if (!identity.ok()) return Refused(path, identity.error().message());
  identity_ = *std::move(identity);
  HSM_TRY(const base::WallTime not_before, NotBefore(leaf));
  HSM_TRY(not_after_, NotAfter(leaf));
  if (now < not_before) {
    return Refused(path, fmt::format("not valid before {}; it is {} here",
                                     base::FormatTime(not_before), base::FormatTime(now)));
  }
  if (now > not_after_) {
    return Refused(path, fmt::format("expired at {}; it is {} here", base::FormatTime(not_after_),
                                     base::FormatTime(now)));
  }
  return {};
}

Result<void> Credentials::LoadKey(const std::string& path) {
  HSM_RETURN_IF_ERROR(CheckKeyMode(path));
  HSM_TRY(const base::SecretBytes pem, base::ReadRegularFile(path, kMaxPemBytes));
  auto key = ParsePrivateKey(pem);
  if (!key.ok()) return Refused(path, key.error().message());
  key_ = *std::move(key);
  if (X509_check_private_key(chain_.front().get(), key_.get()) == 1) return {};
  (void)TakeOpenSslError();
  return Refused(path, "not the key of our certificate");
}

// That who believes the same bundle will believe us: a wrong bundle is found here, by its owner,
// and not by every peer in turn.
Result<void> Credentials::VerifyChain(base::WallTime now) const {
  const std::unique_ptr<X509_STORE_CTX, StoreContextFree> context(X509_STORE_CTX_new());
  STACK_OF(X509)* between = sk_X509_new_null();
  for (std::size_t i = 1; i < chain_.size(); ++i) sk_X509_push(between, chain_[i].get());
  Result<void> verdict;
  if (X509_STORE_CTX_init(context.get(), trust_.get(), chain_.front().get(), between) != 1) {
    verdict = Error(ErrorCode::kInternal, TakeOpenSslError());
  } else {
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                               std::chrono::system_clock::to_time_t(now));
    if (X509_verify_cert(context.get()) != 1) {
      verdict = Error(ErrorCode::kInvalid,
                      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
    }
  }
  sk_X509_free(between);
  ERR_clear_error();
  return verdict;
}

Result<std::shared_ptr<const Credentials>> Credentials::Load(const CredentialFiles& files,
                                                             base::WallTime now) {
  std::shared_ptr<Credentials> loaded(new Credentials);  // its constructor is private
  HSM_RETURN_IF_ERROR(loaded->LoadAuthorities(files.ca));
  HSM_RETURN_IF_ERROR(loaded->LoadChain(files.cert, now));
  HSM_RETURN_IF_ERROR(loaded->LoadKey(files.key));
  if (auto verified = loaded->VerifyChain(now); !verified.ok()) {
    return Refused(files.cert, fmt::format("not vouched for by {}: {}", base::Printable(files.ca),
                                           verified.error().message()));
  }
  return std::shared_ptr<const Credentials>(std::move(loaded));
}

}  // namespace hsmops::net
