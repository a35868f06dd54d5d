#include "libhsmops/net/certificate_authority.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

struct NamesFree {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Names = std::unique_ptr<GENERAL_NAMES, NamesFree>;

Error Failed(const char* doing) {
  return {ErrorCode::kInternal, fmt::format("{}: {}", doing, TakeOpenSslError())};
}

Result<void> Require(bool done, const char* doing) {
  if (!done) return Failed(doing);
  return {};
}

Result<PrivateKey> MakeKey() {
  PrivateKey key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Failed("making a key");
  return key;
}

// RFC 5280 §4.1.2.2: positive and at most 20 octets; 127 random bits here.
Result<void> SetSerial(X509* certificate) {
  std::array<std::uint8_t, 16> random;
  HSM_RETURN_IF_ERROR(Require(RAND_bytes(random.data(), random.size()) == 1, "making a serial"));
  random[0] = static_cast<std::uint8_t>((random[0] & 0x7f) | 0x40);  // positive, and of 16 octets
  BIGNUM* number = BN_bin2bn(random.data(), random.size(), nullptr);
  const bool set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return Require(set, "setting the serial");
}

Result<void> SetTime(base::WallTime time, int (*set)(X509*, const ASN1_TIME*), X509* certificate) {
  ASN1_TIME* encoded = ASN1_TIME_set(
      nullptr, std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count());
  const bool done = encoded != nullptr && set(certificate, encoded) == 1;
  ASN1_TIME_free(encoded);
  return Require(done, "setting the validity");
}

// `value` as in OpenSSL's x509v3_config(5); never made from text of others.
Result<void> AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value);
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return Require(added, "adding an extension");
}

Result<void> AddName(GENERAL_NAMES& names, int type, const std::string& text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* value = nullptr;
  if (type == GEN_IPADD) {
    value = a2i_IPADDRESS(text.c_str());
  } else {
    value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, text.data(), static_cast<int>(text.size()));
  }
  if (value == nullptr) {
    GENERAL_NAME_free(name);
    (void)TakeOpenSslError();
    return Error(ErrorCode::kInvalid,
                 fmt::format("\"{}\" is no IP address", base::Printable(text)));
  }
  GENERAL_NAME_set0_value(name, type, value);
  return Require(sk_GENERAL_NAME_push(&names, name) > 0, "adding a name");
}

// RFC 1123: letters, digits and hyphens between dots; a first label "*" is not for us.
bool IsDnsName(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         name.find("..") == std::string::npos && std::ranges::all_of(name, fits);
}

Result<Names> LeafNames(const LeafRequest& request, const SpiffeId& id) {
  if (request.dns_names.size() + request.ip_addresses.size() > kMaxAlternativeNames) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("more than {} alternative names", kMaxAlternativeNames));
  }
  Names names(GENERAL_NAMES_new());
  HSM_RETURN_IF_ERROR(AddName(*names, GEN_URI, id.text()));
  for (const std::string& name : request.dns_names) {
    if (!IsDnsName(name)) {
      return Error(ErrorCode::kInvalid,
                   fmt::format("\"{}\" is no DNS name", base::Printable(name)));
    }
    HSM_RETURN_IF_ERROR(AddName(*names, GEN_DNS, name));
  }
  for (const std::string& address : request.ip_addresses)
    HSM_RETURN_IF_ERROR(AddName(*names, GEN_IPADD, address));
  return names;
}

struct Validity {
  base::WallTime from;
  base::WallTime until;
};

Result<Certificate> MakeCertificate(EVP_PKEY* key, const Validity& validity) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  HSM_RETURN_IF_ERROR(Require(raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1 &&
                                  X509_set_pubkey(raw, key) == 1,
                              "making a certificate"));
  HSM_RETURN_IF_ERROR(SetSerial(raw));
  HSM_RETURN_IF_ERROR(SetTime(validity.from, X509_set1_notBefore, raw));
  HSM_RETURN_IF_ERROR(SetTime(validity.until, X509_set1_notAfter, raw));
  return certificate;
}

// A name of its own for each CA, so that the old and the new one of a rotation are two issuers.
Result<void> NameAuthority(X509* authority) {
  std::array<std::uint8_t, 8> random;
  HSM_RETURN_IF_ERROR(Require(RAND_bytes(random.data(), random.size()) == 1, "naming the CA"));
  const std::string common = fmt::format("HSM pool CA {}", base::Hex(random));
  X509_NAME* name = X509_get_subject_name(authority);
  HSM_RETURN_IF_ERROR(
      Require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common.data()),
                                         static_cast<int>(common.size()), -1, 0) == 1 &&
                  X509_set_issuer_name(authority, name) == 1,
              "naming the CA"));
  return {};
}

Result<Issued> SignAndEncode(X509* certificate, EVP_PKEY* key, EVP_PKEY* signer) {
  HSM_RETURN_IF_ERROR(
      Require(X509_sign(certificate, signer, EVP_sha256()) > 0, "signing the certificate"));
  // A memory BIO wipes what it grows out of and what it frees.
  BIO* bio = BIO_new(BIO_s_mem());
  const auto take = [bio] {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    base::SecretBytes pem(base::AsBytes({data, static_cast<std::size_t>(size)}));
    (void)BIO_reset(bio);
    return pem;
  };
  Issued issued;
  bool whole = PEM_write_bio_X509(bio, certificate) == 1;
  const base::SecretBytes pem = take();
  issued.certificate.assign(pem.view().begin(), pem.view().end());
  whole =
      whole && PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  issued.key = take();
  BIO_free(bio);
  HSM_RETURN_IF_ERROR(Require(whole, "encoding the certificate"));
  return issued;
}

}  // namespace

Result<Issued> CertificateAuthority::Create(const std::string& pool, base::WallTime now) {
  HSM_TRY(const SpiffeId id, SpiffeId::Parse("spiffe://" + pool));
  if (!id.path.empty()) return Error(ErrorCode::kInvalid, "the name of a pool holds no slash");
  HSM_TRY(const PrivateKey key, MakeKey());
  HSM_TRY(const Certificate made,
          MakeCertificate(key.get(), {now - kBackdate, now + kAuthorityValidity}));
  X509* raw = made.get();
  HSM_RETURN_IF_ERROR(NameAuthority(raw));
  HSM_RETURN_IF_ERROR(AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, raw, NID_subject_key_identifier, "hash"));
  const Names names(GENERAL_NAMES_new());
  HSM_RETURN_IF_ERROR(AddName(*names, GEN_URI, id.text()));
  HSM_RETURN_IF_ERROR(Require(X509_add1_ext_i2d(raw, NID_subject_alt_name, names.get(), 0, 0) == 1,
                              "naming the pool"));
  return SignAndEncode(raw, key.get(), key.get());
}

Result<CertificateAuthority> CertificateAuthority::Load(base::ByteView certificate,
                                                        base::ByteView key) {
  auto certificates = ParseCertificates(certificate, 1);
  if (!certificates.ok()) return certificates.error().Within("the CA certificate");
  auto parsed = ParsePrivateKey(key);
  if (!parsed.ok()) return parsed.error().Within("the CA key");
  CertificateAuthority authority;
  authority.certificate_ = std::move(certificates->front());
  authority.key_ = *std::move(parsed);
  X509* raw = authority.certificate_.get();
  if (X509_check_private_key(raw, authority.key_.get()) != 1) {
    (void)TakeOpenSslError();
    return Error(ErrorCode::kInvalid, "the CA key does not belong to the CA certificate");
  }
  const std::vector<std::string> uris = UriNames(*raw);
  if (X509_check_ca(raw) != 1 || uris.size() != 1)
    return Error(ErrorCode::kInvalid, "the CA certificate is not that of a pool");
  HSM_TRY(const SpiffeId id, SpiffeId::Parse(uris.front()));
  if (!id.path.empty()) return Error(ErrorCode::kInvalid, id.text() + " is not a pool");
  authority.pool_ = id.trust_domain;
  return authority;
}

Result<Issued> CertificateAuthority::Issue(const LeafRequest& request, base::WallTime now) const {
  HSM_TRY(const SpiffeId id, request.identity.Id());
  if (request.identity.pool != pool_) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("the CA of pool {} does not issue {}", pool_, id.text()));
  }
  const base::WallTime until =
      now + std::chrono::floor<std::chrono::microseconds>(request.validity);
  HSM_TRY(const base::WallTime authority_until, NotAfter(*certificate_));
  if (request.validity <= base::Duration{} || until > authority_until) {
    return Error(
        ErrorCode::kInvalid,
        fmt::format("{} cannot be valid for {}: the CA itself ends at {}", id.text(),
                    base::FormatDuration(request.validity), base::FormatTime(authority_until)));
  }
  HSM_TRY(const Names names, LeafNames(request, id));
  HSM_TRY(const PrivateKey key, MakeKey());
  HSM_TRY(const Certificate leaf, MakeCertificate(key.get(), {now - kBackdate, until}));
  X509* raw = leaf.get();
  X509* issuer = certificate_.get();
  HSM_RETURN_IF_ERROR(
      Require(X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1, "naming the issuer"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, issuer, NID_key_usage, "critical,digitalSignature"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, issuer, NID_ext_key_usage, "serverAuth,clientAuth"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, issuer, NID_subject_key_identifier, "hash"));
  HSM_RETURN_IF_ERROR(AddExtension(raw, issuer, NID_authority_key_identifier, "keyid:always"));
  // Critical: RFC 5280 §4.1.2.6 asks for it where the subject is empty.
  HSM_RETURN_IF_ERROR(Require(X509_add1_ext_i2d(raw, NID_subject_alt_name, names.get(), 1, 0) == 1,
                              "naming the leaf"));
  return SignAndEncode(raw, key.get(), key_.get());
}

}  // namespace hsmops::net
