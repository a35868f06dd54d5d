// Certificate and PrivateKey: OpenSSL's objects with an owner, read from PEM, and asked who they
// are.
//
// Forward declarations only, so that whoever includes our headers needs none of OpenSSL's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"
#include "libhsmops/net/spiffe_id.h"

struct evp_pkey_st;
struct x509_st;
struct x509_store_st;

namespace hsmops::net {

struct OpenSslFree {
  void operator()(evp_pkey_st* key) const;  // wipes the private half
  void operator()(x509_st* certificate) const;
  void operator()(x509_store_st* store) const;
};
using PrivateKey = std::unique_ptr<evp_pkey_st, OpenSslFree>;
using Certificate = std::unique_ptr<x509_st, OpenSslFree>;
using TrustStore = std::unique_ptr<x509_store_st, OpenSslFree>;

// Takes the oldest error of this thread's queue and empties it: "no start line". "unknown reason"
// when there is none.
std::string TakeOpenSslError();

// RFC 7468. kInvalid: no certificate, more than `limit` of them, or one that does not parse.
base::Result<std::vector<Certificate>> ParseCertificates(base::ByteView pem, std::size_t limit);
// kInvalid: no key, or one with a passphrase: nobody is there to type it.
base::Result<PrivateKey> ParsePrivateKey(base::ByteView pem);

// The URIs among the subject's alternative names (RFC 5280 §4.2.1.6), as they stand, nothing said
// about their being well-formed.
std::vector<std::string> UriNames(const x509_st& certificate);

// Whose the certificate is, signed by whomever. kInvalid: it has not exactly one URI, as an X.509
// SVID has (X509-SVID specification §2), or that is no identity of ours.
base::Result<Identity> IdentityOf(const x509_st& leaf);

// Whether `authority`, as the end of a verified chain, may speak for `pool`: it names no pool, or
// it names that one. A bundle with the CAs of two pools so gives neither power over the other.
bool SpeaksFor(const x509_st& authority, const std::string& pool);

// RFC 5280 §4.1.2.5. kInvalid: a time that is none.
base::Result<base::WallTime> NotBefore(const x509_st& certificate);
base::Result<base::WallTime> NotAfter(const x509_st& certificate);

}  // namespace hsmops::net
