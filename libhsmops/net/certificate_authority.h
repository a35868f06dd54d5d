// CertificateAuthority: makes the certificates of one pool. Nothing is written to a file here.
//
// ECDSA P-256 with SHA-256, X.509 v3 as RFC 5280 has it; the subject's identity is the URI among
// its alternative names, and a leaf has no other subject. What it makes, Credentials takes.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/net/certificate.h"
#include "libhsmops/net/spiffe_id.h"

namespace hsmops::net {

// Validity begins so long before now: clocks of nodes differ.
inline constexpr std::chrono::minutes kBackdate{5};
inline constexpr std::chrono::hours kAuthorityValidity{24 * 3650};
inline constexpr std::size_t kMaxAlternativeNames = 64;

// A certificate and its key, both PEM; the key PKCS#8 without passphrase (RFC 5958).
struct Issued {
  std::string certificate;
  base::SecretBytes key;
};

struct LeafRequest {
  Identity identity;
  // Names for other clients than ours, which look at the URI only.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // IPv4 or IPv6, without brackets
  base::Duration validity{};              // from now
};

class CertificateAuthority {
 public:
  // A self-signed CA for `pool`, a SPIFFE trust domain: 10 years, pathlen 0. kInvalid: no such.
  static base::Result<Issued> Create(const std::string& pool, base::WallTime now);

  // From what Create gave. kInvalid: it does not parse, key and certificate do not match, or it is
  // not the CA of a pool.
  static base::Result<CertificateAuthority> Load(base::ByteView certificate, base::ByteView key);

  const std::string& pool() const { return pool_; }

  // A certificate for both ends of a connection. kInvalid: another pool, an alternative name that
  // is none, a validity that is none or that goes beyond the CA's own.
  base::Result<Issued> Issue(const LeafRequest& request, base::WallTime now) const;

 private:
  CertificateAuthority() = default;
  std::string pool_;
  Certificate certificate_;
  PrivateKey key_;
};

}  // namespace hsmops::net
