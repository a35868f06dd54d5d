#include "libhsmops/manager/live_path.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/kind.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

Error NoSuch(std::string_view target) {
  return {ErrorCode::kNotFound,
          fmt::format("nothing is served at {}", base::Printable(target.substr(0, 200)))};
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// RFC 3986 (2.1); in a query '+' is a space, as forms have it.
Result<std::string> Decoded(std::string_view text, bool query) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += query && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    std::string digits(text.substr(i + 1, 2));
    for (char& c : digits) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const auto byte = base::FromHex(digits);
    if (!byte.ok() || byte->size() != 1)
      return Error(ErrorCode::kInvalid, "the request's target holds a broken % escape");
    plain += static_cast<char>(byte->front());
    i += 2;
  }
  if (base::Printable(plain) != plain)
    return Error(ErrorCode::kInvalid, "the request's target holds what is no text");
  return plain;
}

Result<std::map<std::string, std::string>> QueryOf(std::string_view text) {
  std::map<std::string, std::string> query;
  if (text.empty()) return query;
  for (const std::string_view part : Split(text, '&')) {
    const std::size_t equals = part.find('=');
    HSM_TRY(std::string name, Decoded(part.substr(0, equals), true));
    HSM_TRY(std::string value,
            Decoded(equals == std::string_view::npos ? "" : part.substr(equals + 1), true));
    if (name.empty()) continue;
    if (!query.emplace(std::move(name), std::move(value)).second)
      return Error(ErrorCode::kInvalid, "the request's target names an option twice");
  }
  return query;
}

bool IsSubresource(std::string_view resource, std::string_view subresource) {
  return (resource == "mirroredsecrets" && subresource == "value") ||
         (resource == "devicehealths" && (subresource == "diff" || subresource == "divergence"));
}

}  // namespace

Result<LivePath> ParseLivePath(std::string_view target) {
  const std::size_t mark = target.find('?');
  LivePath path;
  HSM_TRY(path.query, QueryOf(mark == std::string_view::npos ? "" : target.substr(mark + 1)));
  std::vector<std::string> parts;
  for (const std::string_view part : Split(target.substr(0, mark), '/')) {
    HSM_TRY(std::string plain, Decoded(part, false));
    parts.push_back(std::move(plain));
  }
  if (parts.size() > 2 && parts.back().empty()) parts.pop_back();  // "/apis/"
  if (parts.size() < 2 || !parts[0].empty() || parts[1] != "apis") return NoSuch(target);
  if (parts.size() == 2) return path;
  if (parts[2] != kLiveGroup) return NoSuch(target);
  path.what = LivePath::What::kGroup;
  if (parts.size() == 3) return path;
  if (parts[3] != kLiveVersion) return NoSuch(target);
  path.what = LivePath::What::kResources;
  if (parts.size() == 4) return path;
  path.what = LivePath::What::kObjects;
  std::size_t at = 4;
  if (parts[at] == "namespaces" && parts.size() > 6) {
    path.ns = parts[at + 1];
    if (!cluster::CheckNamespace(path.ns).ok()) return NoSuch(target);
    at += 2;
  }
  path.resource = parts[at++];
  if (path.resource != "mirroredsecrets" && path.resource != "devicehealths") return NoSuch(target);
  if (at < parts.size()) path.name = parts[at++];
  if (at < parts.size()) path.subresource = parts[at++];
  // One object is of a namespace.
  if (at != parts.size() || (path.ns.empty() && !path.name.empty())) return NoSuch(target);
  if (!path.subresource.empty() && !IsSubresource(path.resource, path.subresource))
    return NoSuch(target);
  return path;
}

}  // namespace hsmops::manager
