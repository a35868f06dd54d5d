#include "libhsmops/net/spiffe_id.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::string_view kScheme = "spiffe://";
constexpr Role kRoles[] = {Role::kMember, Role::kManager, Role::kReader};

bool IsLowerDigitMark(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}
bool IsPathCharacter(char c) { return IsLowerDigitMark(c) || (c >= 'A' && c <= 'Z'); }

// nullptr: it is one; else what is wrong with it.
const char* WrongWithTrustDomain(std::string_view domain) {
  if (domain.empty()) return "has no trust domain";
  if (domain.size() > kMaxTrustDomainBytes) return "has a trust domain longer than 255 bytes";
  if (!std::ranges::all_of(domain, IsLowerDigitMark))
    return "has a trust domain with other characters than a-z 0-9 . _ -";
  return nullptr;
}

const char* WrongWithPath(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty()) return "has an empty path segment";
    if (segment == "." || segment == "..") return "has a path segment . or ..";
    if (!std::ranges::all_of(segment, IsPathCharacter))
      return "has a path with other characters than A-Z a-z 0-9 . _ -";
    path.remove_prefix(segment.size());
  }
  return nullptr;
}

}  // namespace

Result<SpiffeId> SpiffeId::Parse(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("SPIFFE ID \"{}\" {}", base::Printable(text.substr(0, 300)), why));
  };
  if (text.size() > kMaxSpiffeIdBytes) return refuse("is longer than 2048 bytes");
  if (!text.starts_with(kScheme)) return refuse("does not begin with spiffe://");
  const std::string_view rest = text.substr(kScheme.size());
  const std::string_view domain = rest.substr(0, rest.find('/'));
  const std::string_view path = rest.substr(domain.size());
  if (const char* wrong = WrongWithTrustDomain(domain)) return refuse(wrong);
  if (const char* wrong = WrongWithPath(path)) return refuse(wrong);
  return SpiffeId{std::string(domain), std::string(path)};
}

std::string SpiffeId::text() const { return fmt::format("{}{}{}", kScheme, trust_domain, path); }

std::string_view Name(Role role) {
  switch (role) {
    case Role::kMember:
      return "member";
    case Role::kManager:
      return "manager";
    case Role::kReader:
      return "reader";
    case Role::kFrontProxy:
      return "front-proxy";
  }
  return "reader";
}

Result<Identity> Identity::Of(const SpiffeId& id) {
  for (const Role role : kRoles) {
    const std::string prefix = fmt::format("/{}/", Name(role));
    if (!id.path.starts_with(prefix)) continue;
    std::string name = id.path.substr(prefix.size());
    if (name.empty() || name.find('/') != std::string::npos) break;
    return Identity{id.trust_domain, role, std::move(name)};
  }
  return Error(ErrorCode::kInvalid,
               fmt::format("{} is no identity of ours: those are spiffe://POOL/member/NODE, "
                           "spiffe://POOL/manager/NAME and spiffe://POOL/reader/NAME",
                           base::Printable(id.text())));
}

Result<SpiffeId> Identity::Id() const {
  HSM_TRY(SpiffeId id, SpiffeId::Parse(text()));
  HSM_TRY(const Identity back, Identity::Of(id));
  if (back != *this) {  // "a/b" as a pool would make another identity of it
    return Error(ErrorCode::kInvalid, fmt::format("\"{}\" in pool \"{}\" makes no SPIFFE ID",
                                                  base::Printable(name), base::Printable(pool)));
  }
  return id;
}

std::string Identity::text() const {
  if (role == Role::kFrontProxy) return fmt::format("{} {}", Name(role), name);
  return fmt::format("{}{}/{}/{}", kScheme, pool, Name(role), name);
}

}  // namespace hsmops::net
