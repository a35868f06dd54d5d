// Kind: the resources that this program remembers things in, and the rules for their names.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/enum_names.h"

namespace hsmops::cluster {

inline constexpr std::string_view kGroupVersion = "hsm.j5t.io/v1alpha1";
inline constexpr std::size_t kMaxNameBytes = 253;      // RFC 1123 subdomain, as Kubernetes has it
inline constexpr std::size_t kMaxNamespaceBytes = 63;  // RFC 1123 label
inline constexpr std::string_view kDefaultNamespace = "default";

enum class Kind : std::uint8_t {
  kHsmDevice,
  kHsmSecret,
  kHsmOperation,
  kLease,
  kEvent,
  // Of Kubernetes alone. A Secret is its metadata: values do not pass through a ResourceStore.
  kSecret,
  kEndpointSlice,
};
std::span<const Named<Kind>> NamesOf(Kind);  // "HSMDevice", "HSMSecret", …

// Those that a cluster folder holds.
inline constexpr std::array kAllKinds = {Kind::kHsmDevice, Kind::kHsmSecret, Kind::kHsmOperation,
                                         Kind::kLease, Kind::kEvent};

std::string_view ApiVersion(Kind kind);  // "coordination.k8s.io/v1"
std::string_view Plural(Kind kind);      // "hsmdevices": the path segment and the folder
bool HasStatus(Kind kind);               // a status subresource, written only by UpdateStatus

// kInvalid with the rule that is broken; the message shows the name fit for a terminal.
base::Result<void> CheckName(std::string_view name);       // RFC 1123 subdomain
base::Result<void> CheckNamespace(std::string_view name);  // RFC 1123 label

}  // namespace hsmops::cluster
