// Uri: where a token is, as a PKCS#11 URI (RFC 7512).
//
// Taken: the path attributes token, serial, manufacturer, model, slot-id; the query attributes
// module-path (required) and pin-source=file:/absolute/path. Vendor attributes:
// x-softhsm-conf=/path sets SOFTHSM2_CONF for a module of SoftHSM, x-p11-kit-server=unix:path=…
// sets P11_KIT_SERVER_ADDRESS for p11-kit's client module, and x-profile=generic trusts a known
// driver no more than an unknown one. Refused, as protocol.md (5) has it: pin-value,
// pin-source=|command, and any attribute not named here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"

namespace hsmops::token {

struct Uri {
  std::optional<std::string> token;
  std::optional<std::string> serial;
  std::optional<std::string> manufacturer;
  std::optional<std::string> model;
  std::optional<std::uint64_t> slot_id;
  std::string module_path;
  std::string pin_path;  // empty: no pin-source; then only status is possible
  std::string softhsm_conf;
  std::string p11_kit_server;
  std::string profile;  // empty, or "generic"

  // kInvalid names the attribute, what was found and what is allowed. Never repeats a pin-value.
  static base::Result<Uri> Parse(std::string_view text);
  // The canonical text; Parse(ToString()) gives the same Uri.
  std::string ToString() const;
  bool operator==(const Uri&) const = default;
};

}  // namespace hsmops::token
