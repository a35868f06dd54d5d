// Text from outside, made fit for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace hsmops::base {

// Control characters, DEL, C1 controls, bidirectional overrides and bytes that are not UTF-8 become
// \xNN or \u{N}; everything else stays. A name from a token or a file is never printed raw.
std::string Printable(std::string_view text);

// Is it well-formed UTF-8 (RFC 3629)?
bool IsUtf8(std::string_view text);

}  // namespace hsmops::base
