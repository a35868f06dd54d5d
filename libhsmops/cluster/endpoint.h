// Endpoints: where a node's token is, as `spec.mirroring.endpoints` says it.
#pragma once

#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::cluster {

inline constexpr std::size_t kMaxEndpointBytes = 2048;

// Is it a `pkcs11:` URI (RFC 7512) that this program accepts? kInvalid: not of that form, or it
// carries a PIN (`pin-value`) or a command (`pin-source=|…`), however it is spelt or encoded. The
// message never shows the URI, since it may hold the PIN.
base::Result<void> CheckPkcs11Uri(std::string_view uri);

// A `pkcs11:` URI as above or `https://host[:port]` of an agent, without user, path or query.
base::Result<void> CheckEndpoint(std::string_view endpoint);

}  // namespace hsmops::cluster
