#include "libhsmops/cluster/kind.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr Named<Kind> kKindNames[] = {{Kind::kHsmDevice, "HSMDevice"},
                                      {Kind::kHsmSecret, "HSMSecret"},
                                      {Kind::kHsmOperation, "HSMOperation"},
                                      {Kind::kLease, "Lease"},
                                      {Kind::kEvent, "Event"},
                                      {Kind::kSecret, "Secret"},
                                      {Kind::kEndpointSlice, "EndpointSlice"}};

bool IsEdge(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsLabel(std::string_view label) {
  if (label.empty() || !IsEdge(label.front()) || !IsEdge(label.back())) return false;
  for (const char c : label) {
    if (!IsEdge(c) && c != '-') return false;
  }
  return true;
}

std::string Quoted(std::string_view name) {
  return fmt::format("\"{}\"", base::Printable(name.substr(0, 64)));
}

}  // namespace

std::span<const Named<Kind>> NamesOf(Kind) { return kKindNames; }

std::string_view ApiVersion(Kind kind) {
  switch (kind) {
    case Kind::kLease:
      return "coordination.k8s.io/v1";
    case Kind::kEvent:
      return "events.k8s.io/v1";
    case Kind::kSecret:
      return "v1";
    case Kind::kEndpointSlice:
      return "discovery.k8s.io/v1";
    default:
      return kGroupVersion;
  }
}

std::string_view Plural(Kind kind) {
  switch (kind) {
    case Kind::kHsmDevice:
      return "hsmdevices";
    case Kind::kHsmSecret:
      return "hsmsecrets";
    case Kind::kHsmOperation:
      return "hsmoperations";
    case Kind::kLease:
      return "leases";
    case Kind::kEvent:
      return "events";
    case Kind::kSecret:
      return "secrets";
    case Kind::kEndpointSlice:
      return "endpointslices";
  }
  return {};
}

bool HasStatus(Kind kind) {
  return kind == Kind::kHsmDevice || kind == Kind::kHsmSecret || kind == Kind::kHsmOperation;
}

Result<void> CheckName(std::string_view name) {
  if (name.empty()) return Error(ErrorCode::kInvalid, "must not be empty");
  if (name.size() > kMaxNameBytes) {
    return Error(ErrorCode::kInvalid, fmt::format("{} is {} bytes long, at most {} are allowed",
                                                  Quoted(name), name.size(), kMaxNameBytes));
  }
  std::string_view rest = name;
  for (;;) {
    const std::size_t dot = rest.find('.');
    if (!IsLabel(rest.substr(0, dot))) {
      return Error(
          ErrorCode::kInvalid,
          fmt::format(
              "{} is not a name (lower-case letters, digits, '-' and '.', beginning and ending "
              "with a letter or digit)",
              Quoted(name)));
    }
    if (dot == std::string_view::npos) return {};
    rest.remove_prefix(dot + 1);
  }
}

Result<void> CheckNamespace(std::string_view name) {
  if (name.size() <= kMaxNamespaceBytes && IsLabel(name)) return {};
  return Error(ErrorCode::kInvalid,
               fmt::format("{} is not a namespace (at most {} lower-case letters, digits and '-')",
                           Quoted(name), kMaxNamespaceBytes));
}

}  // namespace hsmops::cluster
