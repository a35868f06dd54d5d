// Credentials: what one process proves itself with, and whom it believes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/net/certificate.h"
#include "libhsmops/net/spiffe_id.h"

namespace hsmops::net {

inline constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxAuthorities = 16;
inline constexpr std::size_t kMaxChain = 8;

// kInvalid, saying which: no certificate in it, too many, or one that is not a CA's.
base::Result<TrustStore> MakeTrust(base::ByteView pem);

// Paths of PEM files, for instance those of a mounted kubernetes.io/tls Secret.
struct CredentialFiles {
  std::string ca;    // whom we believe: one CA or, while one replaces another, several
  std::string cert;  // our certificate first, then those between it and the CA
  std::string key;
};

// Whole and matching, or not there at all. Immutable; its parts may be used by several threads.
class Credentials {
 public:
  // kInvalid, naming the file and what to do: a PEM that does not parse, a key that is not the
  // certificate's or that others than its owner can read, a certificate that is none of ours, that
  // our own CA bundle does not vouch for, or whose time is not now. kNotFound, kUnavailable: a file
  // that is not there or cannot be read.
  //
  // A key that root owns may be readable by its group, to which the process then belongs: it is how
  // a Secret is mounted for a process that is not root (fsGroup).
  static base::Result<std::shared_ptr<const Credentials>> Load(const CredentialFiles& files,
                                                               base::WallTime now);

  const Identity& identity() const { return identity_; }
  base::WallTime not_after() const { return not_after_; }

  const std::vector<Certificate>& chain() const { return chain_; }  // ours first
  evp_pkey_st& key() const { return *key_; }
  x509_store_st& trust() const { return *trust_; }

 private:
  Credentials() = default;
  base::Result<void> LoadAuthorities(const std::string& path);
  base::Result<void> LoadChain(const std::string& path, base::WallTime now);
  base::Result<void> LoadKey(const std::string& path);
  base::Result<void> VerifyChain(base::WallTime now) const;

  Identity identity_;
  base::WallTime not_after_{};
  std::vector<Certificate> chain_;
  PrivateKey key_;
  TrustStore trust_;
};

}  // namespace hsmops::net
