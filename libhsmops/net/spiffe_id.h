// SpiffeId: who somebody is, as the URI in a certificate says it; Identity: what that means to us.
//
// SPIFFE ID specification: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md, §2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::net {

inline constexpr std::size_t kMaxSpiffeIdBytes = 2048;
inline constexpr std::size_t kMaxTrustDomainBytes = 255;

struct SpiffeId {
  std::string trust_domain;  // [a-z0-9._-], at most 255 bytes
  std::string path;          // empty, or "/segment" once or more; a segment is [A-Za-z0-9._-]

  // Strict: one text for one identity, so that comparing texts is comparing identities. kInvalid
  // says what is wrong with it; the text in the message is fit for a terminal.
  static base::Result<SpiffeId> Parse(std::string_view text);
  std::string text() const;

  bool operator==(const SpiffeId&) const = default;
};

enum class Role : std::uint8_t {
  kMember,
  kManager,
  kReader,
  kFrontProxy,  // of no pool, and in no path: who speaks for others (front_proxies.h)
};
// "member", "manager", "reader": as in the path.
std::string_view Name(Role role);

// spiffe://<pool>/<role>/<name>. The pool's CA is spiffe://<pool>, which is not an Identity.
struct Identity {
  std::string pool;
  Role role = Role::kReader;
  std::string name;

  // kInvalid: a SPIFFE ID of another shape than ours.
  static base::Result<Identity> Of(const SpiffeId& id);
  // kInvalid: the pool or the name holds what a SPIFFE ID may not.
  base::Result<SpiffeId> Id() const;
  std::string text() const;

  bool operator==(const Identity&) const = default;
};

}  // namespace hsmops::net
