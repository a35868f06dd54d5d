#include "libhsmops/net/certificate.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <ctime>

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioFree>;

// Reads in place: no copy of a key is made.
Result<Bio> View(base::ByteView pem) {
  if (pem.empty() || pem.size() > INT_MAX) return Error(ErrorCode::kInvalid, "is empty");
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

int NoPassphrase(char*, int, int, void*) { return -1; }

Result<base::WallTime> TimeOf(const ASN1_TIME* time) {
  std::tm calendar{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &calendar) != 1)
    return Error(ErrorCode::kInvalid, "a certificate with a time that is none");
  return base::WallTime(std::chrono::seconds(timegm(&calendar)));
}

}  // namespace

void OpenSslFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void OpenSslFree::operator()(x509_st* certificate) const { X509_free(certificate); }
void OpenSslFree::operator()(x509_store_st* store) const { X509_STORE_free(store); }

std::string TakeOpenSslError() {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown reason" : reason;
}

Result<std::vector<Certificate>> ParseCertificates(base::ByteView pem, std::size_t limit) {
  HSM_TRY(const Bio bio, View(pem));
  std::vector<Certificate> all;
  ERR_clear_error();
  while (Certificate one{PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)}) {
    if (all.size() == limit)
      return Error(ErrorCode::kInvalid, fmt::format("holds more than {} certificates", limit));
    all.push_back(std::move(one));
  }
  // How OpenSSL says "no more of them": anything else is a certificate that it cannot read.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = TakeOpenSslError();
  if (!at_end)
    return Error(ErrorCode::kInvalid, fmt::format("holds a broken certificate: {}", reason));
  if (all.empty()) return Error(ErrorCode::kInvalid, "holds no PEM certificate");
  return all;
}

Result<PrivateKey> ParsePrivateKey(base::ByteView pem) {
  HSM_TRY(const Bio bio, View(pem));
  ERR_clear_error();
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  const std::string reason = TakeOpenSslError();
  if (key == nullptr) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("holds no PEM private key without passphrase: {}", reason));
  }
  return key;
}

std::vector<std::string> UriNames(const x509_st& certificate) {
  std::vector<std::string> uris;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    // By length: a NUL inside stays, and fails to parse as a SPIFFE ID.
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  GENERAL_NAMES_free(names);
  ERR_clear_error();
  return uris;
}

Result<Identity> IdentityOf(const x509_st& leaf) {
  const std::vector<std::string> uris = UriNames(leaf);
  if (uris.size() != 1) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("a certificate with {} URI names where ours have one", uris.size()));
  }
  HSM_TRY(const SpiffeId id, SpiffeId::Parse(uris.front()));
  return Identity::Of(id);
}

bool SpeaksFor(const x509_st& authority, const std::string& pool) {
  const std::vector<std::string> uris = UriNames(authority);
  return uris.empty() || std::ranges::find(uris, "spiffe://" + pool) != uris.end();
}

Result<base::WallTime> NotBefore(const x509_st& certificate) {
  return TimeOf(X509_get0_notBefore(&certificate));
}

Result<base::WallTime> NotAfter(const x509_st& certificate) {
  return TimeOf(X509_get0_notAfter(&certificate));
}

}  // namespace hsmops::net
